import { CS, DS, ES, ESP, FS, GS, SS, TR } from '../../../src/isa/cpu-state.js';
import type { SystemRoutine } from '../../../src/isa/semantics.js';
import type { LinearMemory, PageTableMemory, TlbControl } from '../../../src/cpu/memory/linear-memory.js';
import { PageWalker } from '../../../src/cpu/memory/page-walk.js';
import { CpuStateView } from '../../../src/cpu/state/cpu-state-view.js';
import { CpuSystem } from '../../../src/cpu/system/cpu-system.js';
import type { CpuidConfig } from '../../../src/cpu/system/cpuid.js';
import { DEFAULT_CPUID } from '../../../src/cpu/system/cpuid.js';
import { GuestFault } from '../../../src/cpu/system/guest-fault.js';

const RAM_BYTES = 0x10_0000;

/** One MiB of RAM; above it there is nothing. */
export class PlainRam implements PageTableMemory {
  readonly bytes = new Uint8Array(RAM_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  /** Physical addresses the walker wrote. */
  readonly writes: number[] = [];

  read8(physical: number): number {
    return physical < RAM_BYTES ? this.bytes[physical] : 0xff;
  }
  write8(physical: number, value: number): void {
    if (physical < RAM_BYTES) this.bytes[physical] = value;
  }
  read32(physical: number): number {
    return physical < RAM_BYTES ? this.view.getUint32(physical, true) : 0xffff_ffff;
  }
  write32(physical: number, value: number): void {
    this.writes.push(physical);
    this.view.setUint32(physical, value, true);
  }
}

/** Byte by byte, a walk for each. */
export class PlainLinear implements LinearMemory {
  constructor(
    readonly ram: PlainRam,
    readonly walker: PageWalker,
  ) {}
  #at(linear: number, write: boolean, user: boolean): number {
    return this.walker.walk(linear >>> 0, { write, user, fetch: false }).physical;
  }
  #read(linear: number, bytes: number, user: boolean): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.ram.read8(this.#at(linear + i, false, user)) << (8 * i);
    return value >>> 0;
  }
  #write(linear: number, bytes: number, value: number, user: boolean): void {
    this.checkWrite(linear, bytes, user);
    for (let i = 0; i < bytes; i++) this.ram.write8(this.#at(linear + i, true, user), (value >>> (8 * i)) & 0xff);
  }
  read8(linear: number, user: boolean): number {
    return this.#read(linear, 1, user);
  }
  read16(linear: number, user: boolean): number {
    return this.#read(linear, 2, user);
  }
  read32(linear: number, user: boolean): number {
    return this.#read(linear, 4, user);
  }
  write8(linear: number, value: number, user: boolean): void {
    this.#write(linear, 1, value, user);
  }
  write16(linear: number, value: number, user: boolean): void {
    this.#write(linear, 2, value, user);
  }
  write32(linear: number, value: number, user: boolean): void {
    this.#write(linear, 4, value, user);
  }
  checkWrite(linear: number, sizeBytes: number, user: boolean): void {
    this.#at(linear, true, user);
    this.#at(linear + sizeBytes - 1, true, user);
  }
}

/** Where the fixture puts its tables. */
export const AT = {
  gdt: 0x1000,
  idt: 0x2000,
  ldt: 0x3000,
  tss: 0x4000,
  otherTss: 0x4200,
  kernelStack: 0x8000,
  userStack: 0x9000,
} as const;

export const TABLES = { tlbReadSupervisor: 16, tlbWriteSupervisor: 20, tlbReadUser: 24, tlbWriteUser: 28 };

/** Access byte and flags nibble, as descriptor bytes 5 and 6 hold them: 0xc09b is a flat ring 0 code segment. */
export function descriptor(base: number, limit: number, access: number): [low: number, high: number] {
  const low = ((base & 0xffff) << 16) | (limit & 0xffff);
  const high = (base & 0xff00_0000) | ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf_0000);
  return [low >>> 0, high >>> 0];
}
/** Gate of `type` with DPL and P in `access`. */
export function gate(selector: number, offset: number, access: number, parameters = 0): [low: number, high: number] {
  const low = (selector << 16) | (offset & 0xffff);
  const high = (offset & 0xffff_0000) | (access << 8) | parameters;
  return [low >>> 0, high >>> 0];
}

/** Selectors of the fixture's GDT. */
export const SEL = {
  code: 0x08,
  data: 0x10,
  userCode: 0x1b,
  userData: 0x23,
  tss: 0x28,
  otherTss: 0x30,
  ldt: 0x38,
  conforming: 0x40,
  code16: 0x48,
  /** Free for a test. */
  a: 0x50,
  b: 0x58,
  ring1Code: 0x61,
  ring1Data: 0x69,
  absent: 0x70,
  readOnly: 0x78,
} as const;

export class Machine {
  readonly ram = new PlainRam();
  readonly state = new CpuStateView(new ArrayBuffer(65536), TABLES);
  readonly walker: PageWalker;
  readonly linear: PlainLinear;
  readonly system: CpuSystem;
  readonly tlb: string[] = [];
  readonly ferr: boolean[] = [];
  readonly tables: [entry: number, base: number, span: number, bytes: number][] = [];
  readonly clock = { now: 1000, nsPerTick: 4 };
  /** Writes of IA32_APIC_BASE. */
  apicBaseWrites = 0;
  shutdowns = 0;

  constructor(cpuid: CpuidConfig = DEFAULT_CPUID) {
    this.walker = new PageWalker(this.state, this.ram, { tableUsed: (...use) => void this.tables.push(use) });
    this.linear = new PlainLinear(this.ram, this.walker);
    const tlb: TlbControl = {
      flushAll: () => void this.tlb.push('all'),
      directoriesChanged: (before, after) => {
        const list = (tables: readonly (number | null)[]): string => tables.map((t) => t?.toString(16) ?? '-').join();
        this.tlb.push(`${list(before)} to ${list(after)}`);
      },
    };
    this.system = new CpuSystem({
      state: this.state,
      linear: this.linear,
      physical: this.ram,
      tlb,
      clock: this.clock,
      cpuid,
      onFerr: (level) => void this.ferr.push(level),
      onApicBase: () => void this.apicBaseWrites++,
      onShutdown: () => void this.shutdowns++,
    });
    this.system.reset();
    this.ferr.length = 0;
  }

  /** Runs a routine as the engine does, but lets the fault through. EIP 100h, next 102h unless set before. */
  run(name: SystemRoutine, ...args: number[]): void {
    this.state.instructionEip = 0x100;
    this.state.nextEip = 0x102;
    this.state.eip = 0x102;
    this.system.routines[name](...args);
  }

  /** The fault a routine raises, as [vector, error code]. */
  fault(name: SystemRoutine, ...args: number[]): [number, number | null] {
    try {
      this.run(name, ...args);
    } catch (e) {
      if (e instanceof GuestFault) return [e.vector, e.errorCode];
      throw e;
    }
    throw new Error(`${name} did not fault`);
  }

  put(address: number, words: readonly number[]): void {
    words.forEach((word, i) => this.ram.view.setUint32(address + 4 * i, word, true));
  }
  get32(address: number): number {
    return this.ram.view.getUint32(address, true);
  }
  get16(address: number): number {
    return this.ram.view.getUint16(address, true);
  }
  /** `count` values from the top of SS:ESP. */
  stack(count: number, bytes: 2 | 4 = 4): number[] {
    const { state } = this;
    const top = state.segBase(SS) + ((state.gpr(ESP) & state.stackMask) >>> 0);
    return Array.from({ length: count }, (_, i) => (bytes === 4 ? this.get32(top + 4 * i) : this.get16(top + 2 * i)));
  }

  setGdt(selector: number, entry: readonly number[]): void {
    this.put(AT.gdt + (selector & 0xfff8), entry);
  }
  setIdt(vector: number, entry: readonly number[]): void {
    this.put(AT.idt + 8 * vector, entry);
  }
  gdtAccess(selector: number): number {
    return this.ram.bytes[AT.gdt + (selector & 0xfff8) + 5];
  }

  /** Ring 0, flat 32-bit segments, GDT, IDT with a 32-bit interrupt gate for each vector, a 32-bit TSS. */
  protect(): this {
    const { state } = this;
    this.setGdt(SEL.code, descriptor(0, 0xf_ffff, 0xc09a));
    this.setGdt(SEL.data, descriptor(0, 0xf_ffff, 0xc092));
    this.setGdt(SEL.userCode, descriptor(0, 0xf_ffff, 0xc0fa));
    this.setGdt(SEL.userData, descriptor(0, 0xf_ffff, 0xc0f2));
    this.setGdt(SEL.tss, descriptor(AT.tss, 0x67, 0x008b));
    this.setGdt(SEL.otherTss, descriptor(AT.otherTss, 0x67, 0x0089));
    this.setGdt(SEL.ldt, descriptor(AT.ldt, 0x1f, 0x0082));
    this.setGdt(SEL.conforming, descriptor(0, 0xf_ffff, 0xc09e));
    this.setGdt(SEL.code16, descriptor(0, 0xffff, 0x009a));
    this.setGdt(SEL.ring1Code, descriptor(0, 0xf_ffff, 0xc0ba));
    this.setGdt(SEL.ring1Data, descriptor(0, 0xf_ffff, 0xc0b2));
    this.setGdt(SEL.absent, descriptor(0, 0xf_ffff, 0xc012));
    this.setGdt(SEL.readOnly, descriptor(0, 0xf_ffff, 0xc090));
    for (let vector = 0; vector < 256; vector++) this.setIdt(vector, gate(SEL.code, 0x5_0000 + vector, 0x8e));
    this.put(AT.tss + 4, [AT.kernelStack, SEL.data, AT.kernelStack - 0x400, SEL.ring1Data]);
    state.cr0 = 0x6000_0011;
    state.gdtrBase = AT.gdt;
    state.gdtrLimit = 0x7f;
    state.idtrBase = AT.idt;
    state.idtrLimit = 0x7ff;
    state.eflags = 2;
    state.cpl = 0;
    state.setSegment(CS, SEL.code, 0, 0xffff_ffff, 0xc09b);
    for (const s of [SS, DS, ES, FS, GS]) state.setSegment(s, SEL.data, 0, 0xffff_ffff, 0xc093);
    state.setSegment(TR, SEL.tss, AT.tss, 0x67, 0x008b);
    state.setGpr(ESP, AT.kernelStack - 0x200);
    state.eip = 0x100;
    state.updateModeCache();
    return this;
  }

  /** The same, in ring 3. */
  user(): this {
    this.protect();
    const { state } = this;
    state.cpl = 3;
    state.setSegment(CS, SEL.userCode, 0, 0xffff_ffff, 0xc0fb);
    for (const s of [SS, DS, ES, FS, GS]) state.setSegment(s, SEL.userData, 0, 0xffff_ffff, 0xc0f3);
    state.setGpr(ESP, AT.userStack);
    state.updateModeCache();
    return this;
  }

  /** V86 mode with the given IOPL. */
  v86(iopl: number): this {
    this.protect();
    const { state } = this;
    state.cpl = 3;
    state.eflags = 0x2_0002 | (iopl << 12) | 0x200;
    [ES, CS, SS, DS, FS, GS].forEach((s, i) => state.setSegment(s, 0x100 + i, (0x100 + i) << 4, 0xffff, 0xf3));
    state.setGpr(ESP, 0x1000);
    state.updateModeCache();
    return this;
  }

  /** Real mode with the stack at 0:7000. */
  real(): this {
    const { state } = this;
    state.setSegment(CS, 0x1000, 0x1_0000, 0xffff, 0x9b);
    state.setGpr(ESP, 0x7000);
    state.idtrLimit = 0x3ff;
    return this;
  }
}
