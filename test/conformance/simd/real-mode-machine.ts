import { MmioBus } from '../../../src/core/bus.js';
import type { Cpu } from '../../../src/cpu/cpu.js';
import { LAYOUT } from '../../../src/cpu/memory/layout.js';
import { createBareCpu } from '../../../src/host/bare-cpu.js';
import { STATE } from '../../../src/isa/cpu-state.js';

/** Where code is placed, and data that instructions under test use. */
export const CODE = 0x1000;
export const DATA = 0x2000;
const HANDLERS = 0x8000;
const HLT = 0xf4;

export const NO_EXCEPTION = -1;

/** A CPU in real mode with all segments at 0, whose exceptions end the run. */
export class RealModeMachine {
  readonly cpu: Cpu = createBareCpu({ ramBytes: 0x10_0000, mmio: new MmioBus() });
  readonly view = this.cpu.physical.view;

  constructor() {
    this.cpu.reset();
    for (let segment = 0; segment < 6; segment++) {
      this.view.setUint32(STATE.segSelector + 4 * segment, 0, true);
      this.view.setUint32(STATE.segBase + 4 * segment, 0, true);
    }
    this.view.setUint32(STATE.cr0, 0x30, true);
    this.view.setUint32(STATE.cr4, 0x600, true);
    this.view.setUint32(STATE.mxcsr, 0x1f80, true);
    for (let vector = 0; vector < 32; vector++) {
      this.write32(4 * vector, HANDLERS + 16 * vector);
      this.write(HANDLERS + 16 * vector, [HLT]);
    }
  }

  write(address: number, bytes: ArrayLike<number>): void {
    this.cpu.physical.write(address, Uint8Array.from(bytes), true);
  }
  write32(address: number, value: number): void {
    this.write(address, [value, value >>> 8, value >>> 16, value >>> 24]);
  }
  bytes(address: number, count: number): number[] {
    return [...this.cpu.physical.u8.slice(LAYOUT.ram + address, LAYOUT.ram + address + count)];
  }

  state(field: keyof typeof STATE): number {
    return this.view.getUint32(STATE[field], true);
  }
  setState(field: keyof typeof STATE, value: number): void {
    this.view.setUint32(STATE[field], value, true);
  }
  xmm(index: number): bigint {
    const at = STATE.xmm + 16 * index;
    return this.view.getBigUint64(at, true) | (this.view.getBigUint64(at + 8, true) << 64n);
  }
  setXmm(index: number, value: bigint): void {
    const at = STATE.xmm + 16 * index;
    this.view.setBigUint64(at, value & 0xffff_ffff_ffff_ffffn, true);
    this.view.setBigUint64(at + 8, value >> 64n, true);
  }
  mmx(index: number): bigint {
    return this.view.getBigUint64(STATE.fpr + 16 * index, true);
  }
  setMmx(index: number, value: bigint): void {
    this.view.setBigUint64(STATE.fpr + 16 * index, value, true);
  }

  /** Runs `code` and returns the vector of the exception it raised, or NO_EXCEPTION. */
  run(...code: number[]): number {
    this.write(CODE, [...code, HLT]);
    this.cpu.state.eip = CODE;
    this.cpu.state.halted = 0;
    this.view.setUint32(STATE.gpr + 8 * 4, 0x7000, true);
    this.cpu.restored();
    const end = this.cpu.now + 1000;
    while (!this.cpu.halted && this.cpu.now < end) this.cpu.run(end);
    if (!this.cpu.halted) throw new Error('the code does not end');
    const behindHlt = this.cpu.state.eip;
    return behindHlt === CODE + code.length + 1 ? NO_EXCEPTION : (behindHlt - 1 - HANDLERS) >> 4;
  }
}

/** Four singles, the first in the lowest lane. */
export function singles(...values: number[]): bigint {
  const view = new DataView(new ArrayBuffer(16));
  values.forEach((v, i) => view.setFloat32(4 * i, v, true));
  return view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n);
}
/** Two doubles, the first in the lower lane. */
export function doubles(...values: number[]): bigint {
  const view = new DataView(new ArrayBuffer(16));
  values.forEach((v, i) => view.setFloat64(8 * i, v, true));
  return view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n);
}
export function singleLanes(vector: bigint): number[] {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, vector & 0xffff_ffff_ffff_ffffn, true);
  view.setBigUint64(8, vector >> 64n, true);
  return [0, 4, 8, 12].map((at) => view.getFloat32(at, true));
}
