import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.js';
import { MmioBus } from '../../../src/core/bus.js';
import { Cpu } from '../../../src/cpu/cpu.js';
import type { Tier } from '../../../src/cpu/cpu-options.js';
import { LAYOUT } from '../../../src/cpu/memory/layout.js';
import { DEFAULT_CPUID } from '../../../src/cpu/system/cpuid.js';
import { cpuCode } from '../../../src/host/cpu-code.js';
import { CS, DS, EAX, ES, ESP, FLAG, FS, GS, SS, TR } from '../../../src/isa/cpu-state.js';

/** Physical addresses of the small machine that programs run on; linear ones too, unless a program moves pages. */
export const AT = {
  directory: 0x1000,
  table: 0x2000,
  gdt: 0x3000,
  idt: 0x4000,
  tss: 0x5000,
  /** Where programs leave what they saw. */
  log: 0x6000,
  /** One HLT for each vector, 16 bytes apart. */
  handlers: 0x7000,
  code: 0x8000,
  kernelStack: 0x20000,
  userStack: 0x30000,
  data: 0x40000,
  /** Memory of a device, behind RAM. */
  device: 0x300000,
} as const;

/** Selectors of the GDT that every program finds. */
export const SEL = {
  code: 0x08,
  data: 0x10,
  userCode: 0x1b,
  userData: 0x23,
  tss: 0x28,
  code16: 0x30,
  data16: 0x38,
  expandDown: 0x40,
  smallCode: 0x48,
  otherTss: 0x50,
} as const;

const RAM_BYTES = 0x24_0000;
const DEFAULT_LIMIT_TICKS = 20_000;

export interface Program {
  /** Address to listing: lines of hexadecimal bytes and, behind two spaces, what they mean. */
  readonly code: Readonly<Record<number, string>>;
  readonly mode?: 'real' | 'v86' | 'protected' | 'paged' | 'user';
  readonly eflags?: number;
  /** More state, before the first tick. */
  readonly prepare?: (m: TestMachine) => void;
  /** What happens at which tick, ahead of the instruction. */
  readonly events?: Readonly<Record<number, (m: TestMachine) => void>>;
  readonly limitTicks?: number;
}

/** A CPU with RAM, a port 80h that raises an interrupt, the A20 gate at port 92h, and a log of what ports were written. */
export class TestMachine {
  readonly cpu: Cpu;
  readonly output: string[] = [];
  /** Of the next external interrupt. */
  vector = 0x20;
  /** Two pages of a device's memory at AT.device, and how often they were read. */
  readonly device = new Uint8Array(0x2000);
  deviceReads = 0;

  constructor(tier: Tier = 'interpreter', hotRuns?: number) {
    const mmio = new MmioBus();
    mmio.map('test memory', AT.device, this.device.length, {
      read: (offset, width) => {
        this.deviceReads++;
        let value = 0;
        for (let i = 0; i < width; i++) value |= this.device[offset + i] << (8 * i);
        return value >>> 0;
      },
      write: (offset, value, width) => {
        for (let i = 0; i < width; i++) this.device[offset + i] = value >>> (8 * i);
      },
    });
    this.cpu = new Cpu({
      code: cpuCode(),
      tier,
      ...(hotRuns === undefined ? {} : { hotRuns }),
      ramBytes: RAM_BYTES,
      mmio,
      nsPerTick: 4,
      cpuid: DEFAULT_CPUID,
      acknowledge: () => {
        this.cpu.setInterrupt(false);
        return this.vector;
      },
      onFerr: () => {},
      io: {
        exempt: () => false,
        read: (port, width) => (port === 0x92 ? (this.cpu.physical.a20 ? 2 : 0) : 0xffff_ffff >>> (32 - 8 * width)),
        write: (port, value, width) => this.#portWritten(port, value, width),
      },
    });
  }

  #portWritten(port: number, value: number, width: number): void {
    this.output.push(`${this.cpu.now} ${port.toString(16)} ${value.toString(16)} ${width}`);
    if (port === 0x80) this.cpu.setInterrupt(true);
    if (port === 0x92) {
      this.cpu.physical.a20 = (value & 2) !== 0;
      this.cpu.memory.tlb.flushAll();
    }
  }

  ram32(address: number, value: number): void {
    this.cpu.physical.view.setUint32(LAYOUT.ram + address, value, true);
  }
  read32(address: number): number {
    return this.cpu.physical.view.getUint32(LAYOUT.ram + address, true);
  }
  read16(address: number): number {
    return this.cpu.physical.view.getUint16(LAYOUT.ram + address, true);
  }
  /** Bytes of a listing as hexadecimal. */
  static hex(listing: string): string {
    return [...listing.matchAll(/^ *([0-9a-f]+)(?: {2}|$)/gm)].map((m) => m[1]).join('');
  }
  /** `count` values from the log area. */
  log(count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.read32(AT.log + 4 * i));
  }
  bytes(address: number, hex: string): void {
    this.cpu.physical.u8.set(Buffer.from(hex, 'hex'), LAYOUT.ram + address);
  }
  place(address: number, listing: string): void {
    this.bytes(address, TestMachine.hex(listing));
  }
  /** A gate of the IDT; `access` with P and DPL. */
  gate(vector: number, selector: number, offset: number, access = 0x8e): void {
    this.ram32(AT.idt + 8 * vector, (selector << 16) | (offset & 0xffff));
    this.ram32(AT.idt + 8 * vector + 4, (offset & 0xffff_0000) | (access << 8));
  }
  descriptor(selector: number, base: number, limit: number, access: number, flags: number): void {
    const at = AT.gdt + (selector & ~7);
    this.ram32(at, (base << 16) | (limit & 0xffff));
    this.ram32(
      at + 4,
      (base & 0xff00_0000) | (flags << 20) | (limit & 0xf_0000) | (access << 8) | ((base >>> 16) & 0xff),
    );
  }
  cell(offset: number, value: number): void {
    this.cpu.physical.view.setUint32(offset, value, true);
  }

  /** The vector whose HLT the CPU stopped at. */
  get stoppedIn(): number {
    return (this.cpu.state.segBase(CS) + this.cpu.state.eip - 1 - AT.handlers) / 16;
  }
  /** `count` values from the top of the stack. */
  stack(count: number, bytes: 2 | 4 = 4): number[] {
    const top = (this.cpu.state.segBase(SS) + (this.cpu.state.gpr(ESP) & this.cpu.state.stackMask)) >>> 0;
    return Array.from({ length: count }, (_, i) => (bytes === 4 ? this.read32(top + 4 * i) : this.read16(top + 2 * i)));
  }
  get eax(): number {
    return this.cpu.state.gpr(EAX);
  }

  load(program: Program): void {
    const { cpu } = this;
    const mode = program.mode ?? 'protected';
    cpu.physical.u8.fill(0, LAYOUT.ram, LAYOUT.ram + RAM_BYTES);
    cpu.physical.a20 = true;
    cpu.setInterrupt(false);
    cpu.now = 0;
    cpu.reset();
    this.output.length = 0;
    this.device.fill(0);
    this.deviceReads = 0;
    this.vector = 0x20;
    this.#tables();
    const real = mode === 'real' || mode === 'v86';
    const ring = mode === 'user' || mode === 'v86' ? 3 : 0;
    if (real)
      for (const s of [ES, CS, SS, DS, FS, GS]) cpu.state.setSegment(s, 0, 0, 0xffff, mode === 'v86' ? 0xf3 : 0x93);
    else {
      cpu.state.setSegment(CS, ring === 3 ? SEL.userCode : SEL.code, 0, 0xffff_ffff, ring === 3 ? 0xc0fb : 0xc09b);
      const [selector, access] = ring === 3 ? [SEL.userData, 0xc0f3] : [SEL.data, 0xc093];
      for (const s of [ES, SS, DS, FS, GS]) cpu.state.setSegment(s, selector, 0, 0xffff_ffff, access);
    }
    cpu.state.setSegment(TR, SEL.tss, AT.tss, 0x67 + 0x2001, 0x8b);
    cpu.state.gdtrBase = AT.gdt;
    cpu.state.gdtrLimit = 0xff;
    if (mode !== 'real') cpu.state.idtrBase = AT.idt;
    cpu.state.idtrLimit = 0x7ff;
    cpu.state.cr0 = mode === 'real' ? 0x10 : mode === 'paged' || mode === 'user' ? 0x8001_0031 : 0x31;
    cpu.state.cr3 = AT.directory;
    cpu.state.cr4 = 0x600;
    cpu.state.cpl = ring;
    cpu.state.eflags = (program.eflags ?? 2) | (mode === 'v86' ? FLAG.VM : 0);
    cpu.state.eip = AT.code;
    cpu.state.setGpr(ESP, real ? 0xf000 : ring === 3 ? AT.userStack : AT.kernelStack);
    for (const [address, listing] of Object.entries(program.code)) this.place(Number(address), listing);
    program.prepare?.(this);
    cpu.restored();
    cpu.physical.takeDirty();
  }

  #tables(): void {
    this.ram32(AT.directory, AT.table | 7);
    for (let page = 0; page < 1024; page++) this.ram32(AT.table + 4 * page, (page << 12) | 7);
    this.descriptor(SEL.code, 0, 0xf_ffff, 0x9b, 0xc);
    this.descriptor(SEL.data, 0, 0xf_ffff, 0x93, 0xc);
    this.descriptor(SEL.userCode, 0, 0xf_ffff, 0xfb, 0xc);
    this.descriptor(SEL.userData, 0, 0xf_ffff, 0xf3, 0xc);
    this.descriptor(SEL.tss, AT.tss, 0x67 + 0x2001, 0x8b, 0);
    this.descriptor(SEL.code16, 0, 0xffff, 0x9b, 0);
    this.descriptor(SEL.data16, 0x10000, 0xffff, 0x93, 0);
    this.descriptor(SEL.expandDown, 0, 0x4_0fff, 0x97, 4);
    this.descriptor(SEL.smallCode, 0, 0x8fff, 0x9b, 4);
    this.descriptor(SEL.otherTss, AT.tss + 0x800, 0x67, 0x89, 0);
    this.ram32(AT.tss + 4, AT.kernelStack);
    this.ram32(AT.tss + 8, SEL.data);
    // No I/O map: it begins beyond the limit.
    this.ram32(AT.tss + 100, 0xffff_0000);
    for (let vector = 0; vector < 256; vector++) {
      const handler = AT.handlers + 16 * vector;
      this.bytes(handler, 'f4');
      this.gate(vector, SEL.code, handler, vector >= 0x80 || vector === 3 || vector === 4 ? 0xee : 0x8e);
      if (vector < 64 && this.cpu.state.idtrBase === 0) this.ram32(4 * vector, handler);
    }
  }
}

/** A sequence of numbers that looks random and never changes. */
export function xorshift(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** How execution is cut up, and what is done at the cuts. */
interface Slicing {
  readonly name: string;
  readonly next: () => number;
  readonly atCut?: (m: TestMachine) => void;
}

function slicings(): Slicing[] {
  const flush = (m: TestMachine): void => m.cpu.memory.tlb.flushAll();
  // The state leaves the CPU and comes back, as with a snapshot.
  const dropAll = ({ cpu }: TestMachine): void => {
    cpu.settle();
    const state = new ByteWriter();
    cpu.state.save(state);
    cpu.state.reset();
    cpu.state.restore(new ByteReader(state.finish(), 'state'));
    cpu.restored();
  };
  const random = (seed: number, most: number): Slicing => {
    const draw = xorshift(seed);
    return {
      name: `random cuts of up to ${most} ticks`,
      next: () => 1 + (draw() % most),
      atCut: (m) => [flush, dropAll, () => {}][draw() % 3](m),
    };
  };
  return [
    { name: 'cut at every tick', next: () => 1 },
    { name: 'cut at every tick, translations dropped', next: () => 1, atCut: flush },
    { name: 'cut at every tick, everything dropped', next: () => 1, atCut: dropAll },
    random(0x1234567, 5),
    random(0x7654321, 17),
  ];
}

export interface Outcome {
  readonly tick: number;
  readonly eip: string;
  readonly registers: string;
  readonly eflags: string;
  readonly output: readonly string[];
  readonly deviceReads: number;
  readonly state: string;
  readonly dirtyPages: readonly number[];
  readonly ram: string;
}

/** Everything that one machine is goes over to another. */
function transfer(from: TestMachine, to: TestMachine): void {
  from.cpu.settle();
  const state = new ByteWriter();
  from.cpu.state.save(state);
  const end = LAYOUT.ram + RAM_BYTES;
  to.cpu.physical.u8.set(from.cpu.physical.u8.subarray(LAYOUT.ram, end), LAYOUT.ram);
  to.cpu.physical.takeDirty();
  for (const page of from.cpu.physical.takeDirty()) to.cpu.physical.markDirty(LAYOUT.ram + page * 4096);
  to.cpu.physical.a20 = from.cpu.physical.a20;
  to.cpu.state.restore(new ByteReader(state.finish(), 'state'));
  to.cpu.now = from.cpu.now;
  to.cpu.shutdown = from.cpu.shutdown;
  to.cpu.setInterrupt(from.cpu.interruptPending);
  to.cpu.restored();
  to.device.set(from.device);
  to.deviceReads = from.deviceReads;
  to.vector = from.vector;
  to.output.splice(0, Infinity, ...from.output);
}

/** Runs a program on several machines by turns, each going on where the one before it was cut. */
export function executeByTurns(machines: readonly TestMachine[], program: Program, draw: () => number): Outcome {
  let m = machines[0];
  m.load(program);
  const events = Object.entries(program.events ?? {}).map(([tick, act]) => ({ tick: Number(tick), act }));
  events.sort((a, b) => a.tick - b.tick);
  const limit = program.limitTicks ?? DEFAULT_LIMIT_TICKS;
  while (m.cpu.now < limit && !m.cpu.shutdown) {
    const next = machines[draw() % machines.length];
    if (next !== m) transfer(m, next);
    m = next;
    const due = Math.min(limit, m.cpu.now + 1 + (draw() % 400));
    if (advance(m, events, due)) break;
  }
  return outcome(m);
}

/** Runs to `due`; true when the CPU is halted with nothing to come. */
function advance(m: TestMachine, events: { tick: number; act: (m: TestMachine) => void }[], due: number): boolean {
  const { cpu } = m;
  while (cpu.now < due && !cpu.shutdown) {
    while (events.length > 0 && events[0].tick <= cpu.now) events.shift()!.act(m);
    const next = events.length > 0 ? events[0].tick : Infinity;
    cpu.takeInterrupt();
    if (!cpu.halted) cpu.run(Math.min(due, next));
    else if (next === Infinity) return true;
    else cpu.now = Math.min(next, due);
  }
  return false;
}

/** Runs to the end: halted with nothing to come, shut down, or the limit. */
export function execute(m: TestMachine, program: Program, slicing: Slicing | null): Outcome {
  const { cpu } = m;
  m.load(program);
  const limit = program.limitTicks ?? DEFAULT_LIMIT_TICKS;
  const events = Object.entries(program.events ?? {}).map(([tick, act]) => ({ tick: Number(tick), act }));
  events.sort((a, b) => a.tick - b.tick);
  while (cpu.now < limit && !cpu.shutdown) {
    while (events.length > 0 && events[0].tick <= cpu.now) events.shift()!.act(m);
    const next = events.length > 0 ? events[0].tick : Infinity;
    cpu.takeInterrupt();
    if (cpu.halted) {
      if (next === Infinity) break;
      cpu.now = next;
    } else {
      cpu.run(Math.min(limit, next, slicing === null ? Infinity : cpu.now + slicing.next()));
      slicing?.atCut?.(m);
    }
  }
  return outcome(m);
}

function outcome(m: TestMachine): Outcome {
  const { cpu } = m;
  cpu.settle();
  const state = new ByteWriter();
  cpu.state.save(state);
  const dirtyPages = cpu.physical.takeDirty();
  const hash = createHash('sha1');
  for (const page of dirtyPages) hash.update(cpu.physical.page(page));
  return {
    tick: cpu.now,
    eip: cpu.state.eip.toString(16),
    registers: [0, 1, 2, 3, 4, 5, 6, 7].map((r) => cpu.state.gpr(r).toString(16)).join(' '),
    eflags: cpu.state.eflags.toString(16),
    output: [...m.output],
    deviceReads: m.deviceReads,
    state: createHash('sha1').update(state.finish()).digest('hex'),
    dirtyPages,
    ram: hash.digest('hex'),
  };
}

const shared = new Map<Tier, TestMachine>();
function machineOf(tier: Tier): TestMachine {
  let machine = shared.get(tier);
  if (machine === undefined) shared.set(tier, (machine = new TestMachine(tier)));
  return machine;
}

/** How compiled code is cut: whole and at random, with and without everything dropped. */
function regionSlicings(): (Slicing | null)[] {
  return [null, ...slicings().filter((s) => s.name.startsWith('random'))];
}

/**
 * Runs a program whole, cut at every tick and cut at random ticks with caches dropped, in the interpreter and with each
 * block compiled before it runs; expects the same end each time. Returns the machine as the whole run left it.
 */
export function sameInAllSlicings(program: Program): TestMachine & { readonly ended: Outcome } {
  const m = machineOf('interpreter');
  const whole = execute(m, program, null);
  for (const slicing of slicings()) expect(execute(m, program, slicing), slicing.name).toEqual(whole);
  for (const slicing of regionSlicings()) {
    const name = `compiled, ${slicing?.name ?? 'whole'}`;
    expect(execute(machineOf('regions'), program, slicing), name).toEqual(whole);
  }
  return Object.assign(m, { ended: execute(m, program, null) });
}
