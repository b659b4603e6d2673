/** The few constructs of ACPI Machine Language that our DSDT needs. ACPI specification 6.4, section 20.2 ("AML grammar"). */
import { assert } from '../base/assert.js';

export type Aml = readonly number[];

function flat(parts: readonly Aml[]): number[] {
  return parts.flat();
}

/** PkgLength counts its own bytes (20.2.4). */
function packageLength(contents: number): number[] {
  if (contents + 1 < 0x40) return [contents + 1];
  if (contents + 2 < 0x1000) return [0x40 | ((contents + 2) & 15), (contents + 2) >> 4];
  const total = contents + 3;
  assert(total < 0x10_0000, `AML object of ${total} bytes`);
  return [0x80 | (total & 15), (total >> 4) & 0xff, total >> 12];
}

function enclosed(opcode: Aml, contents: Aml): number[] {
  return [...opcode, ...packageLength(contents.length), ...contents];
}

function segment(name: string): number[] {
  assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(name), `AML name ${name}`);
  return [...name.padEnd(4, '_')].map((c) => c.charCodeAt(0));
}

/** One name segment, with an optional root prefix: `\_SB`. */
export function nameString(path: string): number[] {
  return path.startsWith('\\') ? [0x5c, ...segment(path.slice(1))] : segment(path);
}

export function integer(value: number): number[] {
  if (value < 2) return [value];
  if (value < 0x100) return [0x0a, value];
  if (value < 0x1_0000) return [0x0b, value & 0xff, value >> 8];
  return [0x0c, value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

export function scope(path: string, ...terms: Aml[]): number[] {
  return enclosed([0x10], [...nameString(path), ...flat(terms)]);
}

export function device(name: string, ...terms: Aml[]): number[] {
  return enclosed([0x5b, 0x82], [...nameString(name), ...flat(terms)]);
}

export function named(path: string, value: Aml): number[] {
  return [0x08, ...nameString(path), ...value];
}

export function packageOf(...elements: Aml[]): number[] {
  return enclosed([0x12], [elements.length, ...flat(elements)]);
}

/** Not serialised. */
export function method(path: string, argumentCount: number, ...terms: Aml[]): number[] {
  return enclosed([0x14], [...nameString(path), argumentCount, ...flat(terms)]);
}

/** Store (ArgN, target). */
export function storeArgument(n: number, target: string): number[] {
  return [0x70, 0x68 + n, ...nameString(target)];
}

/** EISAID: three letters and four hexadecimal digits in 32 bits, most significant byte first (19.6.36). */
export function eisaId(id: string): number[] {
  const letter = (n: number) => id.charCodeAt(n) - 0x40;
  const value = ((letter(0) << 26) | (letter(1) << 21) | (letter(2) << 16) | parseInt(id.slice(3), 16)) >>> 0;
  return [0x0c, value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
}

/** Small resource descriptor: fixed I/O ports, 16-bit decode (6.4.2.5). */
export function ioResource(base: number, count: number): number[] {
  return [0x47, 0x01, base & 0xff, base >> 8, base & 0xff, base >> 8, 0x01, count];
}

/** Small resource descriptor: an edge-triggered, active-high ISA interrupt (6.4.2.1). */
export function irqResource(irq: number): number[] {
  const mask = 1 << irq;
  return [0x22, mask & 0xff, mask >> 8];
}

/** Small resource descriptor: an 8-bit ISA DMA channel, compatibility timing (6.4.2.2). */
export function dmaResource(channel: number): number[] {
  return [0x2a, 1 << channel, 0x00];
}

/** A range of an address space that a bridge passes on (6.4.3.5). */
export interface AddressRange {
  readonly space: 'memory' | 'io' | 'bus';
  readonly first: number;
  readonly last: number;
}

/** Large resource descriptor: word address space for I/O and bus numbers, dword for memory; produced, not consumed. */
export function addressResource({ space, first, last }: AddressRange): number[] {
  const bytes = space === 'memory' ? 4 : 2;
  const number = (n: number): number[] => Array.from({ length: bytes }, (_, i) => Math.floor(n / 2 ** (8 * i)) & 0xff);
  const type = { memory: 0, io: 1, bus: 2 }[space];
  // Both ends are fixed. Memory: cacheable and writable; I/O: the whole range.
  const specific = { memory: 0x03, io: 0x03, bus: 0x00 }[space];
  const body = [type, 0x0c, specific, ...[0, first, last, 0, last - first + 1].flatMap(number)];
  return [bytes === 4 ? 0x87 : 0x88, body.length, 0, ...body];
}

/** A buffer of resource descriptors with its end tag, for _CRS. */
export function resourceTemplate(...descriptors: Aml[]): number[] {
  const contents = [...flat(descriptors), 0x79, 0x00];
  return enclosed([0x11], [...integer(contents.length), ...contents]);
}
