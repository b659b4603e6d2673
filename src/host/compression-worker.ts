/** Thread that compresses blocks: CompressionRequest to frame. */
import type { CompressionRequest } from './background-compressor.js';
import { createBlockCodec } from './block-codec.js';
import { lowerThisThread } from './thread-priority.js';
import { serveRequests } from './worker-channel.js';

// First: a codec takes its time to load, while the guest runs.
lowerThisThread();
const codec = await createBlockCodec();
serveRequests<CompressionRequest, Uint8Array>(({ block, level }) => codec.compress(block, level));
