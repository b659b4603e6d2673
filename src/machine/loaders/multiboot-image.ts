/** Header and segments of a multiboot kernel: Multiboot Specification 0.6.96, section 3.1. */
import { CodedError } from '../../base/errors.js';

const HEADER_MAGIC = 0x1bad_b002;
/** The header lies within so many bytes, at a multiple of 4. */
const SEARCH_BYTES = 8192;
/** Bits 0-15 are demands: pages for modules, memory information, video mode. */
const KNOWN_DEMANDS = 0x0007;
const HAS_ADDRESSES = 0x0001_0000;

const PT_LOAD = 1;
const EM_386 = 3;

export interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** In memory, with the zeros behind `bytes`. */
  readonly sizeBytes: number;
}

export interface MultibootImage {
  readonly flags: number;
  readonly entry: number;
  readonly segments: readonly Segment[];
}

function refuse(problem: string, hint: string): CodedError {
  return new CodedError('USAGE', `the multiboot kernel ${problem}`, { where: 'kernel', hint });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Offset of the header, or -1. */
export function findMultibootHeader(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  const last = Math.min(bytes.length, SEARCH_BYTES) - 12;
  for (let at = 0; at <= last; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 0x1_0000_0000 === 0) return at;
  }
  return -1;
}

/** Throws USAGE when it cannot be loaded. */
export function parseMultibootImage(bytes: Uint8Array): MultibootImage {
  const at = findMultibootHeader(bytes);
  if (at < 0)
    throw refuse('has no multiboot header in its first 8 KiB', 'give a multiboot 1 kernel or a Linux bzImage');
  const flags = viewOf(bytes).getUint32(at + 4, true);
  const unknown = flags & 0xffff & ~KNOWN_DEMANDS;
  if (unknown !== 0) throw refuse(`demands what no loader knows: flags ${unknown.toString(16)}h`, 'it is damaged');
  return (flags & HAS_ADDRESSES) !== 0 ? addressed(bytes, at, flags) : elf(bytes, flags);
}

/** The header itself says what goes where. */
function addressed(bytes: Uint8Array, at: number, flags: number): MultibootImage {
  if (at + 32 > bytes.length) throw refuse('ends within its header', 'it is truncated');
  const view = viewOf(bytes);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((o) =>
    view.getUint32(at + o, true),
  );
  const from = at - (headerAddress - loadAddress);
  const length = loadEnd === 0 ? bytes.length - from : loadEnd - loadAddress;
  if (headerAddress < loadAddress || from < 0 || length < 0 || from + length > bytes.length) {
    throw refuse('names addresses that do not fit the file', 'it is damaged or truncated');
  }
  const end = Math.max(loadAddress + length, bssEnd);
  const segment = { address: loadAddress, bytes: bytes.subarray(from, from + length), sizeBytes: end - loadAddress };
  return { flags, entry, segments: [segment] };
}

/** ELF32 for the 386: its loadable segments at their physical addresses. */
function elf(bytes: Uint8Array, flags: number): MultibootImage {
  const view = viewOf(bytes);
  if (bytes.length < 52 || view.getUint32(0, false) !== 0x7f45_4c46) {
    throw refuse('is no ELF file, and its header names no addresses', 'link it as ELF32, or set bit 16 of the flags');
  }
  if (bytes[4] !== 1 || bytes[5] !== 1 || view.getUint16(18, true) !== EM_386) {
    throw refuse('is no 32-bit x86 ELF file', 'link it with -m elf_i386');
  }
  const entry = view.getUint32(24, true);
  const tableOffset = view.getUint32(28, true);
  const entryBytes = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  const truncated = (): CodedError => refuse('ends within what its ELF header promises', 'it is damaged or truncated');
  if (entryBytes < 32 || tableOffset + count * entryBytes > bytes.length) throw truncated();
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    const at = tableOffset + i * entryBytes;
    const sizeBytes = view.getUint32(at + 20, true);
    if (view.getUint32(at, true) !== PT_LOAD || sizeBytes === 0) continue;
    const offset = view.getUint32(at + 4, true);
    const fileBytes = Math.min(view.getUint32(at + 16, true), sizeBytes);
    if (offset + fileBytes > bytes.length) throw truncated();
    segments.push({
      address: view.getUint32(at + 12, true),
      bytes: bytes.subarray(offset, offset + fileBytes),
      sizeBytes,
    });
  }
  if (segments.length === 0) throw refuse('has nothing to load', 'its ELF file has no loadable segment');
  return { flags, entry: physicalEntry(view, entry, segments, tableOffset, entryBytes, count), segments };
}

/** The entry is a virtual address: it moves with the segment that holds it, unless it is a physical one already. */
function physicalEntry(
  view: DataView,
  entry: number,
  segments: readonly Segment[],
  tableOffset: number,
  entryBytes: number,
  count: number,
): number {
  if (segments.some((s) => entry >= s.address && entry < s.address + s.sizeBytes)) return entry;
  for (let i = 0; i < count; i++) {
    const at = tableOffset + i * entryBytes;
    const virtual = view.getUint32(at + 8, true);
    if (view.getUint32(at, true) !== PT_LOAD || entry < virtual || entry - virtual >= view.getUint32(at + 20, true))
      continue;
    return entry - virtual + view.getUint32(at + 12, true);
  }
  throw refuse(`starts at ${entry.toString(16)}h, outside what it loads`, 'it is damaged');
}
