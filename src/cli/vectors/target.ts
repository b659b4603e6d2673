import { MmioBus } from '../../core/bus.js';
import type { Cpu } from '../../cpu/cpu.js';
import { LAYOUT } from '../../cpu/memory/layout.js';
import { CS, DS, ES, FS, GS, SS, STATE, TR, gprSlot } from '../../isa/cpu-state.js';
import type { Tier } from '../../cpu/cpu-options.js';
import { createBareCpu } from '../../host/bare-cpu.js';
import type { FinalState, FpuImage, SseImage, Vector, VectorTarget } from './vector.js';
import { CODE_ADDRESS, INT3, SCRATCH_ADDRESS, VECTOR_PAGE_BYTES } from './vector.js';

/** Physical layout of the small machine that vectors run on. */
const PAGE_DIRECTORY = 0x1000;
const TABLE_LOW = 0x2000;
const TABLE_CODE = 0x3000;
const TABLE_SCRATCH = 0x4000;
const IDT = 0x5000;
const TSS = 0x6000;
const STACK_TOP = 0x8000;
/** One HLT per vector, 16 bytes apart. */
const HANDLERS = 0x9000;
const CODE_PAGE = 0x10000;
const SCRATCH_PAGE = 0x11000;
const GDT = 0x7000;
const RAM_BYTES = 0x100000;

const KERNEL_CS = 0x08;
const KERNEL_DS = 0x10;
const USER_CS = 0x1b;
const USER_DS = 0x23;
const PUSHES_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Access rights as STATE.segAccess keeps them: flat 4 GiB, 32 bit. */
const USER_CODE_ACCESS = 0xc0fb;
const USER_DATA_ACCESS = 0xc0f3;
const BUSY_TSS_ACCESS = 0x008b;

/** Runs vectors on the real CPU in user mode with paging on; exceptions are read from the frame their handler sees. */
class CpuTarget implements VectorTarget {
  readonly #view: DataView;
  readonly #u8: Uint8Array;

  constructor(
    private readonly cpu: Cpu,
    private readonly cutEveryTick: boolean,
  ) {
    this.#view = cpu.physical.view;
    this.#u8 = cpu.physical.u8;
  }

  #ram32(address: number, value: number): void {
    this.cpu.physical.write(address, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24), true);
  }

  #tables(): void {
    this.#ram32(PAGE_DIRECTORY, TABLE_LOW | 7);
    this.#ram32(PAGE_DIRECTORY + 4 * (CODE_ADDRESS >>> 22), TABLE_CODE | 7);
    this.#ram32(PAGE_DIRECTORY + 4 * (SCRATCH_ADDRESS >>> 22), TABLE_SCRATCH | 7);
    for (let page = 0; page < 256; page++) this.#ram32(TABLE_LOW + 4 * page, (page << 12) | 3);
    this.#ram32(TABLE_CODE, CODE_PAGE | 7);
    this.#ram32(TABLE_SCRATCH + 4 * ((SCRATCH_ADDRESS >>> 12) & 0x3ff), SCRATCH_PAGE | 7);
    const descriptor = (selector: number, low: number, high: number): void => {
      this.#ram32(GDT + (selector & ~7), low);
      this.#ram32(GDT + (selector & ~7) + 4, high);
    };
    descriptor(KERNEL_CS, 0xffff, 0x00cf9b00);
    descriptor(KERNEL_DS, 0xffff, 0x00cf9300);
    descriptor(USER_CS, 0xffff, 0x00cffb00);
    descriptor(USER_DS, 0xffff, 0x00cff300);
    this.#ram32(TSS + 4, STACK_TOP);
    this.#ram32(TSS + 8, KERNEL_DS);
    this.#ram32(TSS + 100, 104 << 16);
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + 16 * vector;
      // INT3 and INTO may be used by programs; every other gate is for the system.
      const dpl = vector === 3 || vector === 4 ? 3 : 0;
      this.#ram32(IDT + 8 * vector, (KERNEL_CS << 16) | (handler & 0xffff));
      this.#ram32(IDT + 8 * vector + 4, (handler & 0xffff0000) | 0x8e00 | (dpl << 13));
      this.cpu.physical.write(handler, Uint8Array.of(0xf4), true);
    }
  }

  #set(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  load({ code, initial }: Vector): void {
    const { cpu } = this;
    cpu.reset();
    this.#tables();
    const page = new Uint8Array(VECTOR_PAGE_BYTES).fill(INT3);
    page.set(code);
    cpu.physical.write(CODE_PAGE, page, true);
    cpu.physical.write(SCRATCH_PAGE, initial.memory, true);
    const segment = (index: number, selector: number, access: number, base = 0, limit = 0xffff_ffff): void => {
      this.#set(STATE.segSelector + 4 * index, selector);
      this.#set(STATE.segBase + 4 * index, base);
      this.#set(STATE.segLimit + 4 * index, limit);
      this.#set(STATE.segAccess + 4 * index, access);
    };
    segment(CS, USER_CS, USER_CODE_ACCESS);
    for (const index of [ES, SS, DS, FS, GS]) segment(index, USER_DS, USER_DATA_ACCESS);
    segment(TR, 0x28, BUSY_TSS_ACCESS, TSS, 103);
    this.#set(STATE.gdtrBase, GDT);
    this.#set(STATE.gdtrLimit, 0x2f);
    this.#set(STATE.idtrBase, IDT);
    this.#set(STATE.idtrLimit, 0x7ff);
    this.#set(STATE.cr0, 0x80010033);
    this.#set(STATE.cr3, PAGE_DIRECTORY);
    this.#set(STATE.cr4, 0x600);
    this.#set(STATE.cpl, 3);
    this.#set(STATE.eip, CODE_ADDRESS);
    initial.r.forEach((value, i) => this.#set(gprSlot(i), value));
    cpu.state.eflags = initial.f;
    this.#loadFpu(initial.fp, initial.x);
    cpu.restored();
  }

  #loadFpu(fp: FpuImage, x: SseImage): void {
    const top = (fp.sw >> 11) & 7;
    this.#set(STATE.fcw, fp.cw);
    this.#set(STATE.fsw, fp.sw);
    this.#set(STATE.ftag, fp.tw);
    fp.st.forEach((hex, i) => this.#putHex(STATE.fpr + 16 * ((top + i) & 7), hex));
    this.#set(STATE.mxcsr, x.mxcsr);
    x.xmm.forEach((hex, i) => this.#putHex(STATE.xmm + 16 * i, hex));
  }

  #putHex(at: number, hex: string): void {
    for (let i = 0; i < hex.length / 2; i++) this.#u8[at + i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  }
  #hex(at: number, count: number): string {
    return Array.from(this.#u8.subarray(at, at + count), (b) => b.toString(16).padStart(2, '0')).join('');
  }

  run(): FinalState {
    const { cpu } = this;
    const limit = cpu.now + 100_000;
    while (!cpu.halted && !cpu.shutdown && cpu.now < limit) cpu.run(this.cutEveryTick ? cpu.now + 1 : limit);
    if (!cpu.halted) throw new Error(cpu.shutdown ? 'the CPU shut down' : 'the code does not end');
    const vector = (cpu.state.eip - 1 - HANDLERS) >> 4;
    let frame = this.#view.getUint32(gprSlot(4), true);
    const word = (): number => {
      const value = this.#view.getUint32(LAYOUT.ram + frame, true);
      frame += 4;
      return value;
    };
    const errorCode = PUSHES_ERROR_CODE.has(vector) ? word() : undefined;
    const eip = word();
    word();
    const eflags = word();
    const esp = word();
    const ended = vector === 3 && this.#u8[LAYOUT.ram + CODE_PAGE + eip - 1 - CODE_ADDRESS] === INT3;
    const r = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => (i === 4 ? esp : this.#view.getUint32(gprSlot(i), true)));
    const sw = this.#view.getUint32(STATE.fsw, true);
    const top = (sw >> 11) & 7;
    return {
      r,
      f: eflags,
      ip: (eip - (ended ? 1 : 0) - CODE_ADDRESS) >>> 0,
      ...(ended ? {} : { e: vector }),
      ...(ended || errorCode === undefined ? {} : { ec: errorCode }),
      ...(vector === 14 ? { cr2: this.#view.getUint32(STATE.cr2, true) } : {}),
      memory: this.#u8.slice(LAYOUT.ram + SCRATCH_PAGE, LAYOUT.ram + SCRATCH_PAGE + VECTOR_PAGE_BYTES),
      fp: {
        cw: this.#view.getUint32(STATE.fcw, true),
        sw,
        tw: this.#view.getUint32(STATE.ftag, true),
        st: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => this.#hex(STATE.fpr + 16 * ((top + i) & 7), 10)),
      },
      x: {
        mxcsr: this.#view.getUint32(STATE.mxcsr, true),
        xmm: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => this.#hex(STATE.xmm + 16 * i, 16)),
      },
    };
  }
}

/** A target for vectors. `cutEveryTick` ends the slice after every tick. */
export function createTarget(tier: Tier, cutEveryTick: boolean): VectorTarget {
  return new CpuTarget(createBareCpu({ ramBytes: RAM_BYTES, mmio: new MmioBus(), tier }), cutEveryTick);
}
