const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DELETE = 0x7f;

/** Bytes that follow a lead byte; -1 for one that leads nothing (Unicode 15, table 3-7). */
function followers(lead: number): number {
  if (lead < 0x80) return 0;
  if (lead >= 0xc2 && lead < 0xe0) return 1;
  if (lead >= 0xe0 && lead < 0xf0) return 2;
  return lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
}

/** False for overlong forms, surrogates, what lies beyond U+10FFFF, and the control characters U+0080 to U+009F. */
function isGoodSecond(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second <= 0x9f;
  if (lead === 0xf0) return second >= 0x90;
  if (lead === 0xf4) return second <= 0x8f;
  return lead !== 0xc2 || second >= 0xa0;
}

/** Well-formed UTF-8 without control characters, which a terminal might obey; `lines` allows line ends and tabs. */
export function isPlainText(bytes: Uint8Array, lines: boolean): boolean {
  for (let i = 0; i < bytes.length;) {
    const lead = bytes[i];
    const isLayout = lead === TAB || lead === LINE_FEED || lead === CARRIAGE_RETURN;
    if (lead === DELETE || (lead < 0x20 && !(lines && isLayout))) return false;
    const more = followers(lead);
    if (more < 0 || i + more >= bytes.length) return false;
    for (let k = 1; k <= more; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return false;
    if (more > 0 && !isGoodSecond(lead, bytes[i + 1])) return false;
    i += 1 + more;
  }
  return true;
}
