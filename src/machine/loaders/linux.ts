/** Boots a Linux kernel without a boot loader: Documentation/arch/x86/boot.rst, zero-page.rst. */
import { CodedError } from '../../base/errors.js';
import { utf8Encode } from '../../base/platform.js';
import { MIB, PAGE_SIZE } from '../../base/units.js';
import { e820Table, highMemoryKib, memoryMap, ramEnd } from './e820.js';
import { FLAT_CODE_SELECTOR, FLAT_DATA_SELECTOR, flatGdt } from './flat-gdt.js';
import { CAN_USE_HEAP, HEADER, parseLinuxImage, type LinuxImage } from './linux-header.js';
import type { LoadPlan, MemoryWrite } from './load-plan.js';

/** Low memory of the 32-bit entry. */
const BOOT_PARAMS = 0x1_0000;
const GDT = 0x1_1000;
const STACK = 0x1_8000;
const CMDLINE = 0x2_0000;
/** Low memory of the 16-bit entry: setup code, then its heap and stack, then the command line, up to the EBDA. */
const SETUP = 0x9_0000;
const SETUP_SEGMENT = SETUP >> 4;
const HEAP_END_HIGH = 0xe000;
const HEAP_END_LOW = 0x9800;
const SETUP_AREA_BYTES = 0xfc00;
const LOW_KERNEL = 0x1_0000;

/** type_of_loader: no assigned number. */
const LOADER_UNDEFINED = 0xff;
const VID_MODE_NORMAL = 0xffff;
/** Before 2.02 the command line is announced in the boot sector. */
const CMD_LINE_MAGIC = 0xa33f;

/** Fields of boot_params outside the setup header. */
const PARAMS = {
  origX: 0x00,
  origY: 0x01,
  extMemK: 0x02,
  origVideoMode: 0x06,
  origVideoCols: 0x07,
  origVideoEgaBx: 0x0a,
  origVideoLines: 0x0e,
  origVideoIsVga: 0x0f,
  origVideoPoints: 0x10,
  altMemK: 0x1e0,
  e820Entries: 0x1e8,
  e820Table: 0x2d0,
} as const;

export interface LinuxOptions {
  /** bzImage or zImage. */
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  /** Command line. */
  readonly append?: string;
  readonly ramSizeBytes: number;
  /**
   * `32-bit` starts the kernel proper, `16-bit` the setup code behind the boot ROM. Left out: 32-bit where the kernel
   * allows it (bzImage of protocol 2.02 or later that names an entry; iPXE names none).
   */
  readonly entry?: '16-bit' | '32-bit';
}

function refuse(message: string, hint: string): CodedError {
  return new CodedError('USAGE', message, { where: 'kernel', hint });
}

/** Bytes with a final 0. */
function commandLine(image: LinuxImage, append: string): Uint8Array {
  const text = utf8Encode(append);
  if (text.length > image.cmdlineSize) {
    throw refuse(`the command line has ${text.length} bytes, the kernel takes ${image.cmdlineSize}`, 'shorten it');
  }
  if (text.includes(0)) throw refuse('the command line has a NUL character', 'remove it');
  const bytes = new Uint8Array(text.length + 1);
  bytes.set(text);
  return bytes;
}

/** First byte behind everything the kernel touches before it knows where its memory is. */
function kernelEnd(image: LinuxImage, loadAddress: number): number {
  const loaded = loadAddress + image.kernel.length;
  return Math.max(loaded, loadAddress + image.initSize, image.prefAddress + image.initSize);
}

/** As high as kernel and RAM allow, at a page. */
function placeInitrd(image: LinuxImage, initrd: Uint8Array, ramSizeBytes: number, lowest: number): MemoryWrite {
  const top = Math.min(image.initrdAddrMax + 1, ramEnd(ramSizeBytes));
  const address = Math.floor((top - initrd.length) / PAGE_SIZE) * PAGE_SIZE;
  if (address < lowest) {
    throw new CodedError('USAGE', `the initrd of ${initrd.length} bytes does not fit beside the kernel`, {
      where: 'initrd',
      hint: `the machine has ${Math.floor(ramSizeBytes / MIB)} MiB; give it more memory`,
    });
  }
  return { address, bytes: initrd };
}

/** The fields of the setup header that a loader fills in, whether it lies in boot_params or in the setup code. */
function fillHeader(view: DataView, initrd: MemoryWrite | undefined): void {
  view.setUint8(HEADER.typeOfLoader, LOADER_UNDEFINED);
  view.setUint16(HEADER.vidMode, VID_MODE_NORMAL, true);
  if (initrd !== undefined) {
    view.setUint32(HEADER.ramdiskImage, initrd.address, true);
    view.setUint32(HEADER.ramdiskSize, initrd.bytes.length, true);
  }
}

/** Zero page for the 32-bit entry. */
function bootParams(image: LinuxImage, initrd: MemoryWrite | undefined, ramSizeBytes: number): Uint8Array {
  const params = new Uint8Array(PAGE_SIZE);
  const view = new DataView(params.buffer);
  params.set(image.setup.subarray(HEADER.setupSects, image.headerEnd), HEADER.setupSects);
  fillHeader(view, initrd);
  view.setUint32(HEADER.cmdLinePtr, CMDLINE, true);
  // screen_info: VGA text mode 3 with the cursor at the top.
  view.setUint8(PARAMS.origVideoMode, 3);
  view.setUint8(PARAMS.origVideoCols, 80);
  view.setUint16(PARAMS.origVideoEgaBx, 3, true);
  view.setUint8(PARAMS.origVideoLines, 25);
  view.setUint8(PARAMS.origVideoIsVga, 1);
  view.setUint16(PARAMS.origVideoPoints, 16, true);
  const highKib = highMemoryKib(ramSizeBytes);
  view.setUint16(PARAMS.extMemK, Math.min(highKib, 0xffff), true);
  view.setUint32(PARAMS.altMemK, highKib, true);
  const map = memoryMap(ramSizeBytes);
  view.setUint8(PARAMS.e820Entries, map.length);
  params.set(e820Table(map), PARAMS.e820Table);
  return params;
}

function protectedPlan(image: LinuxImage, cmdline: Uint8Array, options: LinuxOptions): LoadPlan {
  const loadAddress = image.code32Start;
  const end = kernelEnd(image, loadAddress);
  checkFits(end, options.ramSizeBytes);
  const initrd = options.initrd && placeInitrd(image, options.initrd, options.ramSizeBytes, end);
  const gdt = flatGdt();
  const writes: MemoryWrite[] = [
    { address: BOOT_PARAMS, bytes: bootParams(image, initrd, options.ramSizeBytes) },
    { address: GDT, bytes: gdt },
    { address: CMDLINE, bytes: cmdline },
    { address: loadAddress, bytes: image.kernel },
  ];
  if (initrd !== undefined) writes.push(initrd);
  return {
    writes,
    cpu: {
      mode: 'protected',
      eip: loadAddress,
      esp: STACK,
      eax: 0,
      ebx: 0,
      esi: BOOT_PARAMS,
      gdtBase: GDT,
      gdtLimit: gdt.length - 1,
      codeSelector: FLAT_CODE_SELECTOR,
      dataSelector: FLAT_DATA_SELECTOR,
    },
  };
}

function realPlan(image: LinuxImage, cmdline: Uint8Array, options: LinuxOptions): LoadPlan {
  const loadAddress = image.loadedHigh ? image.code32Start || MIB : LOW_KERNEL;
  const end = image.loadedHigh ? kernelEnd(image, loadAddress) : MIB;
  checkFits(end, options.ramSizeBytes);
  if (!image.loadedHigh && LOW_KERNEL + image.kernel.length > SETUP) {
    throw refuse('the zImage is too large for low memory', 'it is damaged, or no zImage');
  }
  const initrd = options.initrd && placeInitrd(image, options.initrd, options.ramSizeBytes, end);
  const heapEnd = image.version >= 0x202 && image.loadedHigh ? HEAP_END_HIGH : HEAP_END_LOW;
  if (image.setup.length > heapEnd || heapEnd + cmdline.length > SETUP_AREA_BYTES) {
    throw refuse('setup code and command line do not fit below 640 KiB', 'shorten the command line');
  }
  const setup = image.setup.slice();
  const view = new DataView(setup.buffer);
  fillHeader(view, initrd);
  if (image.version >= 0x201) {
    view.setUint16(HEADER.heapEndPtr, heapEnd - 0x200, true);
    view.setUint8(HEADER.loadflags, view.getUint8(HEADER.loadflags) | CAN_USE_HEAP);
  }
  if (image.version >= 0x202) {
    view.setUint32(HEADER.cmdLinePtr, SETUP + heapEnd, true);
  } else {
    view.setUint16(0x20, CMD_LINE_MAGIC, true);
    view.setUint16(0x22, heapEnd, true);
    view.setUint16(HEADER.setupMoveSize, heapEnd + cmdline.length, true);
  }
  const writes: MemoryWrite[] = [
    { address: SETUP, bytes: setup },
    { address: SETUP + heapEnd, bytes: cmdline },
    { address: loadAddress, bytes: image.kernel },
  ];
  if (initrd !== undefined) writes.push(initrd);
  return {
    writes,
    cpu: { mode: 'real', cs: SETUP_SEGMENT + 0x20, ip: 0, ss: SETUP_SEGMENT, sp: heapEnd, ds: SETUP_SEGMENT },
  };
}

function checkFits(end: number, ramSizeBytes: number): void {
  if (end <= ramEnd(ramSizeBytes)) return;
  const neededMib = Math.ceil(end / MIB);
  throw refuse(`the kernel needs ${neededMib} MiB of memory to start`, `give the machine more, e.g. ${2 * neededMib}M`);
}

/** Throws USAGE with where and hint when the kernel cannot be started like that. */
export function loadLinux(options: LinuxOptions): LoadPlan {
  const image = parseLinuxImage(options.kernel);
  const cmdline = commandLine(image, options.append ?? '');
  // Boot loaders in a kernel's clothes have nothing there: only their 16-bit entry counts.
  const can32 = image.loadedHigh && image.version >= 0x202 && image.code32Start !== 0;
  if (options.entry === '32-bit' && !can32) {
    throw refuse('this kernel has no 32-bit entry that a loader may use', 'start it at its 16-bit entry');
  }
  const entry = options.entry ?? (can32 ? '32-bit' : '16-bit');
  return entry === '32-bit' ? protectedPlan(image, cmdline, options) : realPlan(image, cmdline, options);
}
