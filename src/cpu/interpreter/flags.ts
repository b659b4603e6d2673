import { FLAG, STATE } from '../../isa/cpu-state.js';
import type { Body } from '../../isa/ir/body.js';
import type { I32, I32Like } from '../../isa/ir/expr.js';
import { i32 } from '../../isa/ir/expr.js';
import type { FlagSemantics, Width } from '../../isa/semantics.js';

function signExtend(w: Width, value: I32): I32 {
  return w === 8 ? i32.extend8_s(value) : w === 16 ? i32.extend16_s(value) : value;
}

/** Flags as four cells of the CPU state (isa/cpu-state.ts): no dispatch on the kind of the last operation. */
export class CellFlags implements FlagSemantics {
  constructor(
    private readonly b: Body,
    private readonly cc: () => number | null,
    private readonly recordCondition: () => I32,
  ) {}

  #result(w: Width, r: I32): I32 {
    const b = this.b;
    const wide = b.let(signExtend(w, r));
    b.store(STATE.flagZ, wide);
    b.store(STATE.flagS, wide);
    return wide;
  }

  #carries(w: Width, vector: I32): void {
    this.b.store(STATE.flagC, i32.shl(vector, 32 - w));
  }

  add(w: Width, a: I32, b: I32, r: I32): void {
    const [x, y, z] = [this.b.let(a), this.b.let(b), this.b.let(r)];
    this.#result(w, z);
    this.#carries(w, i32.or(i32.and(x, y), i32.and(i32.or(x, y), i32.not(z))));
    this.b.store(STATE.flagA, i32.xor(i32.xor(x, y), z));
  }

  sub(w: Width, a: I32, b: I32, r: I32): void {
    const [x, y, z] = [this.b.let(a), this.b.let(b), this.b.let(r)];
    this.#result(w, z);
    this.#carries(w, i32.or(i32.and(i32.not(x), y), i32.and(i32.or(i32.not(x), y), z)));
    this.b.store(STATE.flagA, i32.xor(i32.xor(x, y), z));
  }

  inc(w: Width, a: I32, r: I32): void {
    const [x, z] = [this.b.let(a), this.b.let(r)];
    const wide = this.#result(w, z);
    // Overflow exactly when the result is the most negative number.
    this.#keepCarry(i32.eq(wide, -1 << (w - 1)));
    this.b.store(STATE.flagA, i32.xor(i32.xor(x, 1), z));
  }

  dec(w: Width, a: I32, r: I32): void {
    const [x, z] = [this.b.let(a), this.b.let(r)];
    const wide = this.#result(w, z);
    this.#keepCarry(i32.eq(wide, 2 ** (w - 1) - 1));
    this.b.store(STATE.flagA, i32.xor(i32.xor(x, 1), z));
  }

  #keepCarry(overflow: I32): void {
    const carry = this.b.let(i32.shr_u(i32.load(STATE.flagC), 31));
    this.#setCarryOverflow(carry, overflow);
  }

  #setCarryOverflow(carry: I32, overflow: I32): void {
    const c = this.b.let(carry);
    this.b.store(STATE.flagC, i32.or(i32.shl(c, 31), i32.shl(i32.xor(c, overflow), 30)));
  }

  logic(w: Width, r: I32): void {
    this.#result(w, r);
    this.b.store(STATE.flagC, 0);
    this.b.store(STATE.flagA, 0);
  }

  result(w: Width, r: I32): void {
    this.#result(w, r);
  }

  set(flags: { cf?: I32Like; of?: I32Like; af?: I32Like; zf?: I32Like; sf?: I32Like; pf?: I32Like }): void {
    const b = this.b;
    const pin = (v: I32Like | undefined): I32 | undefined => (v === undefined ? undefined : b.let(i32.add(v, 0)));
    const [cf, of, af, zf, sf, pf] = [flags.cf, flags.of, flags.af, flags.zf, flags.sf, flags.pf].map(pin);
    if (cf !== undefined || of !== undefined) {
      const carry = b.let(cf ?? this.get('cf'));
      this.#setCarryOverflow(carry, of ?? b.let(this.get('of')));
    }
    if (af !== undefined) b.store(STATE.flagA, i32.shl(af, 4));
    if (zf !== undefined) b.store(STATE.flagZ, i32.xor(zf, 1));
    if (sf !== undefined || pf !== undefined) {
      const sign = b.let(sf ?? this.get('sf'));
      const parity = b.let(pf ?? this.get('pf'));
      // Low byte 0 has even parity, 1 has odd.
      b.store(STATE.flagS, i32.or(i32.shl(sign, 31), i32.xor(parity, 1)));
    }
  }

  get(flag: 'cf' | 'pf' | 'af' | 'zf' | 'sf' | 'of'): I32 {
    switch (flag) {
      case 'cf':
        return i32.shr_u(i32.load(STATE.flagC), 31);
      case 'of':
        return i32.shr_u(i32.xor(i32.load(STATE.flagC), i32.shl(i32.load(STATE.flagC), 1)), 31);
      case 'af':
        return i32.and(i32.shr_u(i32.load(STATE.flagA), 4), 1);
      case 'zf':
        return i32.eqz(i32.load(STATE.flagZ));
      case 'sf':
        return i32.shr_u(i32.load(STATE.flagS), 31);
      case 'pf':
        return i32.and(i32.not(i32.popcnt(i32.load8_u(STATE.flagS))), 1);
    }
  }

  arithmetic(): I32 {
    const at = (flag: Parameters<CellFlags['get']>[0], bit: number): I32 => i32.shl(this.get(flag), bit);
    return i32.or(
      i32.or(i32.or(this.get('cf'), at('pf', 2)), i32.or(at('af', 4), at('zf', 6))),
      i32.or(at('sf', 7), at('of', 11)),
    );
  }

  load(eflags: I32, mask: number): void {
    const value = this.b.let(eflags);
    const bit = (flag: number): I32 | undefined =>
      mask & flag ? i32.and(i32.shr_u(value, Math.clz32(1) - Math.clz32(flag)), 1) : undefined;
    this.set({
      cf: bit(FLAG.CF),
      pf: bit(FLAG.PF),
      af: bit(FLAG.AF),
      zf: bit(FLAG.ZF),
      sf: bit(FLAG.SF),
      of: bit(FLAG.OF),
    });
  }

  condition(cc: number): I32 {
    const known = cc >= 0 ? cc : this.cc();
    if (known !== null) return this.#fixed(known);
    const b = this.b;
    const code = b.let(this.recordCondition());
    const value = b.var('i32');
    const cases = [0, 2, 4, 6, 8, 10, 12, 14].map((even) => () => b.set(value, this.#fixed(even)));
    b.switch(i32.shr_u(code, 1), cases);
    return b.let(i32.xor(value, i32.and(code, 1)));
  }

  #fixed(cc: number): I32 {
    const less = i32.xor(this.get('sf'), this.get('of'));
    const base = [
      () => this.get('of'),
      () => this.get('cf'),
      () => this.get('zf'),
      () => i32.or(this.get('cf'), this.get('zf')),
      () => this.get('sf'),
      () => this.get('pf'),
      () => less,
      () => i32.or(this.get('zf'), less),
    ][cc >> 1]();
    return cc & 1 ? i32.eqz(base) : base;
  }
}
