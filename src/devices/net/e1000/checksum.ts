/** The Internet checksum (RFC 1071) as the card inserts it: over `bytes` from `start` to `end`, big-endian words. */
export function onesSum(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at += 2) sum += (bytes[at] << 8) | (at + 1 < end ? bytes[at + 1] : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Writes the checksum of `start` to `end` (0: the end of the packet) at `offset`; what is there already counts. */
export function insertChecksum(packet: Uint8Array, offset: number, start: number, end: number): void {
  const last = end !== 0 && end + 1 < packet.length ? end + 1 : packet.length;
  if (offset + 2 > packet.length || start >= last) return;
  const sum = ~onesSum(packet, start, last) & 0xffff;
  packet[offset] = sum >> 8;
  packet[offset + 1] = sum;
}
