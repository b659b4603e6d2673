/** Thread that compresses blocks: CompressionRequest to frame. */
import type { CompressionRequest } from './background-compressor.js';
import { createBlockCodec } from './block-codec.js';
import { serveRequests } from './worker-channel.js';

const codec = await createBlockCodec();
serveRequests<CompressionRequest, Uint8Array>(({ block, level }) => codec.compress(block, level));
