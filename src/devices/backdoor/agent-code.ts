/**
 * The agent's code carries a header by which the emulator finds it: 8 bytes "REELCODE", u32 length of the code behind
 * the 16-byte header, u32 zero. Its hash names the program to the policy; the guest cannot claim another one's.
 */

const HEADER_BYTES = 16;
/** How far before EIP the header may lie. */
const REACH_BYTES = 8192;
const MAX_CODE_BYTES = 65536;
const STEP_BYTES = 4;
/** "REEL" and "CODE", little-endian. */
const FIRST = 0x4c454552;
const SECOND = 0x45444f43;

/** `read` returns null when a byte is not mapped. Returns header and code around `eip` (linear), or null. */
export function findAgentCode(read: (linear: number, length: number) => Uint8Array | null, eip: number): Uint8Array | null {
  const word = (linear: number): number | null => {
    const bytes = read(linear, 4);
    return bytes === null ? null : (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0;
  };
  const top = eip & ~(STEP_BYTES - 1);
  for (let back = 0; back <= REACH_BYTES && back <= top; back += STEP_BYTES) {
    const at = (top - back) >>> 0;
    if (word(at) !== FIRST || word(at + 4) !== SECOND || word(at + 12) !== 0) continue;
    const length = word(at + 8);
    if (length === null || length === 0 || length > MAX_CODE_BYTES) continue;
    if (eip >= at + HEADER_BYTES && eip < at + HEADER_BYTES + length) return read(at, HEADER_BYTES + length);
  }
  return null;
}
