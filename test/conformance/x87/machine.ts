import { STATE } from '../../../src/isa/cpu-state.js';
import { DATA, RealModeMachine } from '../simd/real-mode-machine.js';
import type { Real } from './generator.js';

/** A real-mode machine whose x87 state tests set and read. */
export class X87Machine extends RealModeMachine {
  #address(physical: number): number {
    return STATE.fpr + 16 * (physical & 7);
  }
  get top(): number {
    return (this.state('fsw') >> 11) & 7;
  }
  physical(index: number): Real {
    const at = this.#address(index);
    return { significand: this.view.getBigUint64(at, true), signExponent: this.view.getUint16(at + 8, true) };
  }
  setPhysical(index: number, { significand, signExponent }: Real): void {
    const at = this.#address(index);
    this.view.setBigUint64(at, significand, true);
    this.view.setUint16(at + 8, signExponent, true);
  }
  st(i: number): Real {
    return this.physical(this.top + i);
  }

  /** FNINIT state with these values on the stack, the first as ST(0). */
  load(control: number, ...values: Real[]): void {
    const top = (8 - values.length) & 7;
    this.setState('fcw', control);
    this.setState('fsw', top << 11);
    this.setState('ftag', ((0xff << (8 - values.length)) & 0xff) >>> 0);
    for (let i = 0; i < 8; i++) this.setPhysical(i, { significand: 0n, signExponent: 0 });
    values.forEach((value, i) => this.setPhysical(top + i, value));
  }

  operand(): Real {
    const bytes = new DataView(Uint8Array.from(this.bytes(DATA, 10)).buffer);
    return { significand: bytes.getBigUint64(0, true), signExponent: bytes.getUint16(8, true) };
  }
  setOperand({ significand, signExponent }: Real): void {
    const bytes = new DataView(new ArrayBuffer(10));
    bytes.setBigUint64(0, significand, true);
    bytes.setUint16(8, signExponent, true);
    this.write(DATA, new Uint8Array(bytes.buffer));
  }
}

/** ModRM and displacement for DS:DATA. */
export function atData(digit: number): number[] {
  return [(digit << 3) | 6, DATA & 0xff, DATA >> 8];
}

/** A double in the 80-bit format. */
export function real(value: number): Real {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = Number(bits >> 63n) << 15;
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  if (field === 0 && fraction === 0n) return { significand: 0n, signExponent: sign };
  if (field === 0) throw new Error('a denormal double');
  const exponent = field === 0x7ff ? 0x7fff : field - 1023 + 0x3fff;
  return { significand: (1n << 63n) | (fraction << 11n), signExponent: sign | exponent };
}

/** The other way round; exact for what fits. */
export function double({ significand, signExponent }: Real): number {
  if (significand === 0n) return signExponent & 0x8000 ? -0 : 0;
  const exponent = (signExponent & 0x7fff) - 0x3fff;
  if (exponent === 0x4000) return significand === 1n << 63n ? (signExponent & 0x8000 ? -Infinity : Infinity) : NaN;
  return (signExponent & 0x8000 ? -1 : 1) * (Number(significand) / 2 ** 63) * 2 ** exponent;
}
