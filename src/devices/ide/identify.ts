/** Answers of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE. ATA/ATAPI-6 (T13/1410D rev 3b), 8.15 and 8.16. */

/** Text of words, first character in the upper byte, padded with spaces. */
function putText(words: Uint16Array, first: number, count: number, text: string): void {
  const padded = text.padEnd(2 * count).slice(0, 2 * count);
  for (let i = 0; i < count; i++) words[first + i] = (padded.charCodeAt(2 * i) << 8) | padded.charCodeAt(2 * i + 1);
}

/** The words as bytes, with the checksum of word 255 (8.15.55). */
function finish(words: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(512);
  words.forEach((word, i) => {
    bytes[2 * i] = word;
    bytes[2 * i + 1] = word >> 8;
  });
  bytes[510] = 0xa5;
  let sum = 0;
  for (let i = 0; i < 511; i++) sum += bytes[i];
  bytes[511] = -sum;
  return bytes;
}

/** Words 63 and 88: modes that there are, and above them the one in use (8.15.27, 8.15.44). */
function putTransferModes(words: Uint16Array, transferMode: number): void {
  const type = transferMode >> 3;
  const mode = 1 << (transferMode & 7);
  words[63] = 0x0007 | (type === 4 ? mode << 8 : 0);
  words[88] = 0x003f | (type === 8 ? mode << 8 : 0);
  // Fields 64-70 and 88 are valid.
  words[53] |= 0x0006;
  words[64] = 0x0003;
  for (const word of [65, 66, 67, 68]) words[word] = 120;
}

export interface IdentifyDisk {
  readonly serial: string;
  readonly sectorCount: number;
  /** Translation that the drive has by itself, and the one in use. */
  readonly native: { readonly cylinders: number; readonly heads: number; readonly sectorsPerTrack: number };
  readonly heads: number;
  readonly sectorsPerTrack: number;
  readonly maxMultiple: number;
  readonly multiple: number;
  readonly transferMode: number;
  readonly writeCache: boolean;
  readonly lookAhead: boolean;
  readonly smart: boolean;
}

const MODEL_DISK = 'GUESTREEL HARDDISK';
const MODEL_CD = 'GUESTREEL DVD-ROM';
const FIRMWARE = '1.0';

export function identifyDisk(disk: IdentifyDisk): Uint8Array {
  const words = new Uint16Array(256);
  const { native, sectorCount, heads, sectorsPerTrack } = disk;
  const lba28 = Math.min(sectorCount, 0x0fff_ffff);
  words[0] = 0x0040;
  words[1] = native.cylinders;
  words[3] = native.heads;
  words[6] = native.sectorsPerTrack;
  putText(words, 10, 10, disk.serial);
  putText(words, 23, 4, FIRMWARE);
  putText(words, 27, 20, MODEL_DISK);
  words[47] = 0x8000 | disk.maxMultiple;
  words[48] = 1;
  words[49] = 0x0b00; // IORDY, LBA, DMA
  words[50] = 0x4000;
  words[53] = 0x0001;
  const perCylinder = heads * sectorsPerTrack;
  const cylinders = Math.min(0xffff, Math.floor(Math.min(sectorCount, 16_514_064) / perCylinder));
  const capacity = cylinders * perCylinder;
  words[54] = cylinders;
  words[55] = heads;
  words[56] = sectorsPerTrack;
  words[57] = capacity;
  words[58] = capacity >>> 16;
  if (disk.multiple > 0) words[59] = 0x0100 | disk.multiple;
  words[60] = lba28;
  words[61] = lba28 >>> 16;
  putTransferModes(words, disk.transferMode);
  words[80] = 0x0070; // ATA/ATAPI-4 to -6
  words[82] = 0x4061; // NOP, look-ahead, write cache, SMART
  words[83] = 0x7400; // FLUSH CACHE (EXT), 48-bit addresses
  words[84] = 0x4000;
  words[85] = 0x4000 | (disk.lookAhead ? 0x40 : 0) | (disk.writeCache ? 0x20 : 0) | (disk.smart ? 1 : 0);
  words[86] = 0x3400;
  words[87] = 0x4000;
  words[93] = 0x6001;
  for (let i = 0; i < 4; i++) words[100 + i] = Math.floor(sectorCount / 2 ** (16 * i)) % 0x1_0000;
  return finish(words);
}

export function identifyCd(serial: string, transferMode: number): Uint8Array {
  const words = new Uint16Array(256);
  words[0] = 0x8580; // ATAPI, CD-ROM, removable, DRQ within 50 us, packets of 12 bytes
  putText(words, 10, 10, serial);
  putText(words, 23, 4, FIRMWARE);
  putText(words, 27, 20, MODEL_CD);
  words[48] = 1;
  words[49] = 0x0b00;
  putTransferModes(words, transferMode);
  words[71] = 30;
  words[72] = 30;
  words[80] = 0x0070;
  words[82] = 0x4214; // NOP, DEVICE RESET, PACKET, removable... as set in word 85
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = 0x4214;
  words[86] = 0;
  words[87] = 0x4000;
  words[93] = 0x6001;
  return finish(words);
}
