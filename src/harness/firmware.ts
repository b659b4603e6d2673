import { CodedError } from '../base/errors.js';
import type { Firmware } from '../machine/boot.js';
import { MAX_BIOS_BYTES, VIDEO_ROM_BYTES } from '../machine/memory-map.js';
import type { HostServices } from './services.js';

/** What SeaBIOS's packages call the video BIOS of a standard VGA. */
const VIDEO_BIOS_NAME = 'vgabios-stdvga.bin';
/** Firmware fills whole pages. */
const BIOS_UNIT = 4096;

export interface FirmwareOptions {
  readonly bios?: string | Uint8Array;
  readonly videoBios?: string | Uint8Array;
}

/** The firmware that a machine starts with. Throws USAGE for what is none. */
export function loadFirmware(services: HostServices, { bios, videoBios }: FirmwareOptions): Firmware {
  const read = (source: string | Uint8Array): Uint8Array =>
    typeof source === 'string' ? services.readFile(source) : source;
  const where = (source: string | Uint8Array): string => (typeof source === 'string' ? source : 'BIOS');
  const font = services.videoFont();
  if (bios === undefined) {
    if (videoBios === undefined) return { kind: 'builtin', rom: services.bootRom(), videoRom: null, font };
    throw new CodedError('USAGE', 'a video BIOS needs a BIOS that runs it', { hint: 'give --bios too' });
  }
  const rom = read(bios);
  if (rom.length === 0 || rom.length > MAX_BIOS_BYTES || rom.length % BIOS_UNIT !== 0) {
    throw new CodedError('USAGE', `a BIOS of ${rom.length} bytes`, {
      where: where(bios),
      hint: `a raw image of whole 4 KiB, at most ${MAX_BIOS_BYTES / 1024} KiB, e.g. SeaBIOS's bios-256k.bin`,
    });
  }
  const beside = typeof bios === 'string' ? bios.replace(/[^\\/]*$/, VIDEO_BIOS_NAME) : undefined;
  const found = videoBios ?? (beside !== undefined && services.fileExists(beside) ? beside : undefined);
  const videoRom = found === undefined ? null : read(found);
  const isRom = videoRom === null || (videoRom[0] === 0x55 && videoRom[1] === 0xaa);
  if (videoRom !== null && (!isRom || videoRom.length > VIDEO_ROM_BYTES)) {
    throw new CodedError('USAGE', 'this is no video BIOS', {
      where: where(found!),
      hint: `an expansion ROM (it begins with 55h AAh) of at most ${VIDEO_ROM_BYTES / 1024} KiB`,
    });
  }
  return { kind: 'bios', rom, videoRom, font };
}
