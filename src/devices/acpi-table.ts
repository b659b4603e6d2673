import { ByteWriter } from '../base/bytes.js';
import { utf8Encode } from '../base/platform.js';

export const OEM_ID = 'GREEL ';
const OEM_TABLE_ID = 'GUESTREL';
const CREATOR_ID = 'GREL';
const HEADER_BYTES = 36;

/** What makes the bytes sum up to 0 modulo 256. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

/** A table with its header (5.2.6). */
export function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  out.raw(utf8Encode(signature)).u32(HEADER_BYTES + body.length);
  out.u8(revision).u8(0);
  out.raw(utf8Encode(OEM_ID)).raw(utf8Encode(OEM_TABLE_ID)).u32(1);
  out.raw(utf8Encode(CREATOR_ID)).u32(1).raw(body);
  const bytes = out.finish();
  bytes[9] = checksum(bytes);
  return bytes;
}
