/** Boots a multiboot 1 kernel: Multiboot Specification 0.6.96, sections 3.2 to 3.4. */
import { ByteWriter } from '../../base/bytes.js';
import { CodedError } from '../../base/errors.js';
import { utf8Encode } from '../../base/platform.js';
import { KIB, MIB, PAGE_SIZE } from '../../base/units.js';
import { BASE_MEMORY_KIB, highMemoryKib, memoryMap, ramEnd } from './e820.js';
import { FLAT_CODE_SELECTOR, FLAT_DATA_SELECTOR, flatGdt } from './flat-gdt.js';
import type { LoadPlan, MemoryWrite } from './load-plan.js';
import { parseMultibootImage, type Segment } from './multiboot-image.js';

const BOOTLOADER_MAGIC = 0x2bad_b002;
/** The information structure and all it points to, up to the end of conventional memory. */
const INFO = 0x9_0000;
const INFO_END = BASE_MEMORY_KIB * KIB;
const INFO_BYTES = 116;
const LOADER_NAME = 'guestreel';

const INFO_MEMORY = 0x0001;
const INFO_CMDLINE = 0x0004;
const INFO_MODULES = 0x0008;
const INFO_MMAP = 0x0040;
const INFO_LOADER_NAME = 0x0200;
const INFO_FRAMEBUFFER = 0x1000;
const FRAMEBUFFER_EGA_TEXT = 2;

export interface MultibootModule {
  readonly bytes: Uint8Array;
  /** Its command line; by custom it starts with the module's name. */
  readonly append?: string;
}

export interface MultibootOptions {
  readonly kernel: Uint8Array;
  readonly modules?: readonly MultibootModule[];
  /** Command line. */
  readonly append?: string;
  readonly ramSizeBytes: number;
}

function refuse(message: string, hint: string): CodedError {
  return new CodedError('USAGE', message, { where: 'kernel', hint });
}

function pageUp(address: number): number {
  return Math.ceil(address / PAGE_SIZE) * PAGE_SIZE;
}

/** Segments must lie in RAM and apart from the loader's own data. */
function checkSegments(segments: readonly Segment[], ramSizeBytes: number): void {
  for (const { address, sizeBytes } of segments) {
    const end = address + sizeBytes;
    const inRam = end <= INFO || (address >= MIB && end <= ramEnd(ramSizeBytes));
    if (!inRam) {
      const range = `${address.toString(16)}h-${(end - 1).toString(16)}h`;
      throw refuse(`the kernel wants to lie at ${range}`, 'it must fit below 90000h or into the memory from 1 MiB');
    }
  }
}

/** Modules follow the kernel, each at a page. */
function placeModules(options: MultibootOptions, segments: readonly Segment[]): MemoryWrite[] {
  let next = segments.reduce((end, s) => Math.max(end, s.address + s.sizeBytes), MIB);
  return (options.modules ?? []).map(({ bytes }, index) => {
    const address = pageUp(next);
    next = address + bytes.length;
    if (next > ramEnd(options.ramSizeBytes)) {
      throw new CodedError('USAGE', `module ${index} of ${bytes.length} bytes does not fit into memory`, {
        where: 'module',
        hint: 'give the machine more memory',
      });
    }
    return { address, bytes };
  });
}

/** What lies behind the structure: pieces and their addresses. */
class InfoArea {
  readonly writes: MemoryWrite[] = [];
  #next = INFO + 128;

  put(bytes: Uint8Array): number {
    const address = this.#next;
    this.writes.push({ address, bytes });
    this.#next = Math.ceil((address + bytes.length) / 8) * 8;
    if (this.#next > INFO_END) throw refuse('the command lines are too long', 'shorten them');
    return address;
  }

  text(value: string): number {
    const text = utf8Encode(value);
    const bytes = new Uint8Array(text.length + 1);
    bytes.set(text);
    return this.put(bytes);
  }
}

function mmap(ramSizeBytes: number): Uint8Array {
  const out = new ByteWriter();
  for (const { start, sizeBytes, type } of memoryMap(ramSizeBytes)) {
    out.u32(20).u64(BigInt(start)).u64(BigInt(sizeBytes)).u32(type);
  }
  return out.finish();
}

/** Throws USAGE with where and hint when the kernel cannot be started. */
export function loadMultiboot(options: MultibootOptions): LoadPlan {
  const image = parseMultibootImage(options.kernel);
  checkSegments(image.segments, options.ramSizeBytes);
  const modules = placeModules(options, image.segments);
  const area = new InfoArea();
  const gdt = flatGdt();
  const gdtBase = area.put(gdt);
  const cmdline = area.text(options.append ?? '');
  const list = new ByteWriter();
  modules.forEach(({ address, bytes }, i) => {
    list
      .u32(address)
      .u32(address + bytes.length)
      .u32(area.text(options.modules![i].append ?? ''))
      .u32(0);
  });
  const moduleList = area.put(list.finish());
  const map = mmap(options.ramSizeBytes);
  const mapAddress = area.put(map);
  const flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME | INFO_FRAMEBUFFER;

  const info = new Uint8Array(INFO_BYTES);
  const view = new DataView(info.buffer);
  const set = (offset: number, value: number): void => view.setUint32(offset, value, true);
  set(0, flags);
  set(4, BASE_MEMORY_KIB);
  set(8, highMemoryKib(options.ramSizeBytes));
  set(16, cmdline);
  set(20, modules.length);
  set(24, moduleList);
  set(44, map.length);
  set(48, mapAddress);
  set(64, area.text(LOADER_NAME));
  set(88, 0xb_8000); // framebuffer: 80 x 25 characters
  set(96, 160);
  set(100, 80);
  set(104, 25);
  view.setUint8(108, 16);
  view.setUint8(109, FRAMEBUFFER_EGA_TEXT);

  const segments = image.segments.map(({ address, bytes }) => ({ address, bytes }));
  return {
    writes: [{ address: INFO, bytes: info }, ...area.writes, ...segments, ...modules],
    cpu: {
      mode: 'protected',
      eip: image.entry,
      esp: INFO,
      eax: BOOTLOADER_MAGIC,
      ebx: INFO,
      esi: 0,
      gdtBase,
      gdtLimit: gdt.length - 1,
      codeSelector: FLAT_CODE_SELECTOR,
      dataSelector: FLAT_DATA_SELECTOR,
    },
  };
}
