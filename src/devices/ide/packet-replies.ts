/** Data that packet commands return. MMC-3 (T10/1363-D rev 10g) and SPC-2; pages of a read-only drive for CDs and DVDs. */

function be16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
function be32(bytes: Uint8Array, at: number, value: number): void {
  be16(bytes, at, value >>> 16);
  be16(bytes, at + 2, value & 0xffff);
}

function putText(bytes: Uint8Array, at: number, count: number, text: string): void {
  for (let i = 0; i < count; i++) bytes[at + i] = i < text.length ? text.charCodeAt(i) : 0x20;
}

/** Frames of 1/75 s before the first block. */
const LEAD_IN_FRAMES = 150;

/** Address as 00h, minutes, seconds, frames. */
function putAddress(bytes: Uint8Array, at: number, block: number, msf: boolean): void {
  if (!msf) return be32(bytes, at, block);
  const frames = block + LEAD_IN_FRAMES;
  bytes[at] = 0;
  bytes[at + 1] = Math.floor(frames / (75 * 60));
  bytes[at + 2] = Math.floor(frames / 75) % 60;
  bytes[at + 3] = frames % 75;
}

export function inquiry(): Uint8Array {
  const bytes = new Uint8Array(36);
  bytes[0] = 0x05; // CD-ROM
  bytes[1] = 0x80; // removable
  bytes[3] = 0x21; // ATAPI, response format 1
  bytes[4] = 31;
  putText(bytes, 8, 8, 'GSTREEL');
  putText(bytes, 16, 16, 'GUESTREEL DVD');
  putText(bytes, 32, 4, '1.0');
  return bytes;
}

export function requestSense(key: number, code: number, qualifier: number): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes[0] = 0xf0;
  bytes[2] = key;
  bytes[7] = 10;
  bytes[12] = code;
  bytes[13] = qualifier;
  return bytes;
}

export function readCapacity(blocks: number): Uint8Array {
  const bytes = new Uint8Array(8);
  be32(bytes, 0, blocks - 1);
  be32(bytes, 4, 2048);
  return bytes;
}

const DATA_TRACK = 0x14;
const LEAD_OUT = 0xaa;

/** READ TOC/PMA/ATIP of a disc with one data track; null for what there is not. */
export function readToc(format: number, firstTrack: number, msf: boolean, blocks: number): Uint8Array | null {
  if (format === 0) {
    if (firstTrack > 1 && firstTrack !== LEAD_OUT) return null;
    const tracks = firstTrack <= 1 ? [1, LEAD_OUT] : [LEAD_OUT];
    const bytes = new Uint8Array(4 + 8 * tracks.length);
    be16(bytes, 0, bytes.length - 2);
    bytes.set([1, 1], 2);
    tracks.forEach((track, i) => {
      bytes.set([0, DATA_TRACK, track, 0], 4 + 8 * i);
      putAddress(bytes, 8 + 8 * i, track === LEAD_OUT ? blocks : 0, msf);
    });
    return bytes;
  }
  if (format === 1) {
    const bytes = Uint8Array.of(0, 10, 1, 1, 0, DATA_TRACK, 1, 0, 0, 0, 0, 0);
    putAddress(bytes, 8, 0, msf);
    return bytes;
  }
  if (format !== 2) return null;
  const bytes = new Uint8Array(4 + 11 * 4);
  be16(bytes, 0, bytes.length - 2);
  bytes.set([1, 1], 2);
  const points = [0xa0, 0xa1, 0xa2, 1];
  points.forEach((point, i) => {
    const at = 4 + 11 * i;
    bytes.set([1, DATA_TRACK, 0, point, 0, 0, 0, 0], at);
    if (point === 0xa2) putAddress(bytes, at + 7, blocks, true);
    else if (point === 1) putAddress(bytes, at + 7, 0, true);
    else bytes[at + 8] = 1;
  });
  // A minute takes the byte that an address has for nothing.
  for (let i = 0; i < points.length; i++) bytes[4 + 11 * i + 7] = 0;
  return bytes;
}

const PROFILE_NONE = 0x0000;
const PROFILE_CD = 0x0008;
const PROFILE_DVD = 0x0010;
/** More than a CD holds: then it is a DVD. */
const CD_BLOCKS = 90 * 60 * 75;

/** GET CONFIGURATION: profile list, core and removable medium features from `first` on. */
export function getConfiguration(first: number, single: boolean, blocks: number): Uint8Array {
  const current = blocks === 0 ? PROFILE_NONE : blocks > CD_BLOCKS ? PROFILE_DVD : PROFILE_CD;
  const features: number[][] = [
    [
      0x0000,
      0x03,
      8,
      PROFILE_DVD >> 8,
      PROFILE_DVD,
      current === PROFILE_DVD ? 1 : 0,
      0,
      0,
      PROFILE_CD,
      current === PROFILE_CD ? 1 : 0,
      0,
    ],
    [0x0001, 0x0b, 8, 0, 0, 0, 2, 1, 0, 0, 0],
    [0x0003, 0x03, 4, 0x29, 0, 0, 0],
  ];
  const wanted = features.filter(([code]) => (single ? code === first : code >= first));
  const size = wanted.reduce((sum, feature) => sum + feature.length + 1, 8);
  const bytes = new Uint8Array(size);
  be32(bytes, 0, size - 4);
  be16(bytes, 6, current);
  let at = 8;
  for (const [code, ...rest] of wanted) {
    be16(bytes, at, code);
    bytes.set(rest, at + 2);
    at += rest.length + 2;
  }
  return bytes;
}

/** Mode pages (MMC-3, 6.3). */
const PAGE_ERROR_RECOVERY = Uint8Array.of(0x01, 0x06, 0x00, 0x05, 0, 0, 0, 0);
const PAGE_AUDIO = Uint8Array.of(0x0e, 0x0e, 0x04, 0, 0, 0, 0, 0, 1, 0xff, 2, 0xff, 0, 0, 0, 0);
const ALL_PAGES = 0x3f;

function capabilities(isLocked: boolean): Uint8Array {
  const page = new Uint8Array(22);
  page.set([0x2a, 20, 0x3b, 0x00, 0x71, 0x60, 0x29 | (isLocked ? 2 : 0), 0]);
  be16(page, 8, 706); // 4 x
  be16(page, 10, 2);
  be16(page, 12, 512);
  be16(page, 14, 706);
  return page;
}

/** MODE SENSE (10 bytes); null for pages that there are not. */
export function modeSense(page: number, isLocked: boolean, hasMedium: boolean): Uint8Array | null {
  const pages: Uint8Array[] = [];
  if (page === 0x01 || page === ALL_PAGES) pages.push(PAGE_ERROR_RECOVERY);
  if (page === 0x0e || page === ALL_PAGES) pages.push(PAGE_AUDIO);
  if (page === 0x2a || page === ALL_PAGES) pages.push(capabilities(isLocked));
  if (pages.length === 0) return null;
  const size = pages.reduce((sum, p) => sum + p.length, 8);
  const bytes = new Uint8Array(size);
  be16(bytes, 0, size - 2);
  bytes[2] = hasMedium ? 0x01 : 0x70;
  let at = 8;
  for (const p of pages) {
    bytes.set(p, at);
    at += p.length;
  }
  return bytes;
}

export function readDiscInformation(): Uint8Array {
  const bytes = new Uint8Array(34);
  be16(bytes, 0, 32);
  bytes[2] = 0x0e; // last session complete, disc finalised
  bytes.set([1, 1, 1, 1, 0x20], 3);
  return bytes;
}

export function mechanismStatus(): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[5] = 1;
  return bytes;
}

/** GET EVENT STATUS NOTIFICATION: media class only. `event`: 0 nothing, 1 eject request, 2 new medium, 3 removed. */
export function eventStatus(classes: number, event: number, isOpen: boolean, hasMedium: boolean): Uint8Array {
  const MEDIA_CLASS = 4;
  if ((classes & (1 << MEDIA_CLASS)) === 0) return Uint8Array.of(0, 2, 0x80, 1 << MEDIA_CLASS);
  const presence = (isOpen ? 1 : 0) | (hasMedium ? 2 : 0);
  return Uint8Array.of(0, 6, MEDIA_CLASS, 1 << MEDIA_CLASS, event, presence, 0, 0);
}

/** READ SUB-CHANNEL: no audio plays. */
export function readSubChannel(): Uint8Array {
  return Uint8Array.of(0, 0x15, 0, 0);
}

/** A block of a mode 1 track as it is on the disc (2352 bytes), without error correction. */
export function rawBlock(block: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2352);
  bytes.fill(0xff, 1, 11);
  putAddress(bytes, 11, block, true);
  const bcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);
  for (let i = 12; i < 15; i++) bytes[i] = bcd(bytes[i]);
  bytes[11] = 0;
  bytes[15] = 0x01;
  bytes.set(data, 16);
  return bytes;
}
