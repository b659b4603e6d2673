/** The setup header of a Linux kernel image: Documentation/arch/x86/boot.rst. */
import { CodedError } from '../../base/errors.js';

/** Offsets in the image, and in boot_params. */
export const HEADER = {
  setupSects: 0x1f1,
  syssize: 0x1f4,
  vidMode: 0x1fa,
  bootFlag: 0x1fe,
  jump: 0x200,
  magic: 0x202,
  version: 0x206,
  kernelVersion: 0x20e,
  typeOfLoader: 0x210,
  loadflags: 0x211,
  setupMoveSize: 0x212,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEndPtr: 0x224,
  cmdLinePtr: 0x228,
  initrdAddrMax: 0x22c,
  relocatableKernel: 0x234,
  cmdlineSize: 0x238,
  prefAddress: 0x258,
  initSize: 0x260,
} as const;

/** loadflags */
export const LOADED_HIGH = 0x01;
export const CAN_USE_HEAP = 0x80;

/** "HdrS" */
const HEADER_MAGIC = 0x5372_6448;
const SECTOR_BYTES = 512;

export interface LinuxImage {
  /** Major and minor, e.g. 0x20f for 2.15. */
  readonly version: number;
  /** Text after the header, e.g. `6.1.0-25-686 (...)`; empty when there is none. */
  readonly kernelVersion: string;
  /** The kernel proper goes to 1 MiB (bzImage), not to 64 KiB (zImage). */
  readonly loadedHigh: boolean;
  /** Boot sector and setup code. */
  readonly setup: Uint8Array;
  /** The kernel proper. */
  readonly kernel: Uint8Array;
  /** Bytes from 1F1h that belong into boot_params. */
  readonly headerEnd: number;
  readonly code32Start: number;
  /** Highest address that a byte of the initrd may have. */
  readonly initrdAddrMax: number;
  /** Longest command line without its final 0. */
  readonly cmdlineSize: number;
  /** Memory that the kernel needs before it can read the memory map, from prefAddress; 0: not told. */
  readonly prefAddress: number;
  readonly initSize: number;
}

function notLinux(problem: string, hint: string): CodedError {
  return new CodedError('USAGE', `the kernel image ${problem}`, { where: 'kernel', hint });
}

function startsWith(bytes: Uint8Array, ...magic: number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/** Throws USAGE when `bytes` is no bzImage or zImage of boot protocol 2.00 or later. */
export function parseLinuxImage(bytes: Uint8Array): LinuxImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (startsWith(bytes, 0x7f, 0x45, 0x4c, 0x46)) {
    throw notLinux('is an ELF file without a multiboot header', 'give the bzImage, e.g. /boot/vmlinuz-*, not vmlinux');
  }
  if (startsWith(bytes, 0x1f, 0x8b)) throw notLinux('is a gzip file', 'unpack it first');
  if (bytes.length < 0x260 || view.getUint16(HEADER.bootFlag, true) !== 0xaa55) {
    throw notLinux(
      'is no kernel',
      'give a Linux bzImage or a multiboot kernel; disk images are booted without -kernel',
    );
  }
  if (view.getUint32(HEADER.magic, true) !== HEADER_MAGIC) {
    throw notLinux(
      'is a boot sector without Linux setup header',
      'boot it as a disk image; kernels before 1.3.73 are not supported',
    );
  }
  const version = view.getUint16(HEADER.version, true);
  const setupBytes = ((view.getUint8(HEADER.setupSects) || 4) + 1) * SECTOR_BYTES;
  if (version < 0x200 || setupBytes >= bytes.length) {
    throw notLinux(
      `is damaged: protocol ${version.toString(16)}h, ${setupBytes} bytes of setup code in ${bytes.length}`,
      'copy it again',
    );
  }
  // The length byte of the jump at 200h says where the header ends.
  const headerEnd = Math.min(0x202 + view.getUint8(HEADER.jump + 1), 0x290, setupBytes);
  const has = (since: number): boolean => version >= since;
  return {
    version,
    kernelVersion: kernelVersion(bytes, view, setupBytes),
    loadedHigh: (view.getUint8(HEADER.loadflags) & LOADED_HIGH) !== 0,
    setup: bytes.subarray(0, setupBytes),
    kernel: bytes.subarray(setupBytes),
    headerEnd,
    code32Start: view.getUint32(HEADER.code32Start, true),
    initrdAddrMax: has(0x203) ? view.getUint32(HEADER.initrdAddrMax, true) : 0x37ff_ffff,
    cmdlineSize: has(0x206) ? view.getUint32(HEADER.cmdlineSize, true) : 255,
    prefAddress: has(0x20a) ? Number(view.getBigUint64(HEADER.prefAddress, true)) : 0,
    initSize: has(0x20a) ? view.getUint32(HEADER.initSize, true) : 0,
  };
}

function kernelVersion(bytes: Uint8Array, view: DataView, setupBytes: number): string {
  const pointer = view.getUint16(HEADER.kernelVersion, true);
  if (pointer === 0 || pointer + 0x200 >= setupBytes) return '';
  let text = '';
  for (let at = pointer + 0x200; at < setupBytes && bytes[at] !== 0 && text.length < 256; at++) {
    text += String.fromCharCode(bytes[at]);
  }
  return text;
}
