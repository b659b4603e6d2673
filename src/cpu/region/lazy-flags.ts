import { FLAG, STATE } from '../../isa/cpu-state.js';
import type { Body } from '../../isa/ir/body.js';
import type { I32, I32Like, Local } from '../../isa/ir/expr.js';
import { i32 } from '../../isa/ir/expr.js';
import type { FlagSemantics, Width } from '../../isa/semantics.js';

/** What the flag variables hold, as far as it is known while code is emitted. */
export type FlagKind =
  /** As in the CPU state: result = flagZ, sign = flagS, a = flagC, b = flagA. */
  | { readonly op: 'cells' }
  /** result (sign-extended) = a op b; 'adc' and 'sbb' took a carry in as well. */
  | { readonly op: 'add' | 'sub' | 'adc' | 'sbb' | 'logic'; readonly width: Width }
  /** Any of these: `kind` says which. */
  | { readonly op: 'dynamic' };

type KnownKind = Exclude<FlagKind, { op: 'dynamic' }>;

export const CELLS: KnownKind = { op: 'cells' };
export const DYNAMIC: FlagKind = { op: 'dynamic' };

/** Encoding of a kind in the variable: 0 for cells, else bit 0 = subtraction, bit 1 set, width shift from bit 2 on. */
function encode(kind: KnownKind): number {
  if (kind.op === 'cells') return 0;
  return (kind.op === 'sub' || kind.op === 'sbb' ? 1 : 0) | 2 | ((32 - kind.width) << 2);
}

function extend(w: Width, value: I32): I32 {
  return w === 8 ? i32.extend8_s(value) : w === 16 ? i32.extend16_s(value) : value;
}
function zeroExtend(w: Width, value: I32): I32 {
  return w === 32 ? value : i32.and(value, (1 << w) - 1);
}

export function sameKind(a: FlagKind, b: FlagKind): boolean {
  return a.op === b.op && (a as { width?: Width }).width === (b as { width?: Width }).width;
}

/**
 * Flags of compiled code: the operands of the last operation that set them, in variables, from which a condition is one
 * comparison. Only what leaves the region pays for the cells of the CPU state.
 */
export class LazyFlags implements FlagSemantics {
  kind: FlagKind = CELLS;
  readonly #op: Local<'i32'>;
  readonly #result: Local<'i32'>;
  readonly #sign: Local<'i32'>;
  readonly #a: Local<'i32'>;
  readonly #b: Local<'i32'>;

  constructor(
    private readonly body: Body,
    private readonly conditionCode: () => number,
    /** The guest's flags are about to change. */
    private readonly onChange: () => void,
  ) {
    this.#op = body.var('i32');
    this.#result = body.var('i32');
    this.#sign = body.var('i32');
    this.#a = body.var('i32');
    this.#b = body.var('i32');
  }

  /** From the CPU state. */
  loadCells(): void {
    const { body } = this;
    body.set(this.#result, i32.load(STATE.flagZ));
    body.set(this.#sign, i32.load(STATE.flagS));
    body.set(this.#a, i32.load(STATE.flagC));
    body.set(this.#b, i32.load(STATE.flagA));
    this.#become(CELLS);
  }

  /** To the CPU state. */
  storeCells(): void {
    this.toCells();
    const { body } = this;
    body.store(STATE.flagZ, this.#result);
    body.store(STATE.flagS, this.#sign);
    body.store(STATE.flagC, this.#a);
    body.store(STATE.flagA, this.#b);
  }

  #become(kind: KnownKind): void {
    this.kind = kind;
    this.body.set(this.#op, i32.const(encode(kind)));
  }

  /** C cell of `a` + `b` = result, or with the operands of a subtraction. */
  #carryVector(subtraction: I32 | boolean): I32 {
    const [a, b, r] = [this.#a, this.#b, this.#result];
    if (typeof subtraction === 'boolean') {
      const x = subtraction ? i32.not(a) : a;
      const z = subtraction ? r : i32.not(r);
      return i32.or(i32.and(x, b), i32.and(i32.or(x, b), z));
    }
    const inverted = this.body.let(i32.neg(subtraction));
    const x = this.body.let(i32.xor(a, inverted));
    const z = i32.xor(r, i32.not(inverted));
    return i32.or(i32.and(x, b), i32.and(i32.or(x, b), z));
  }

  /** The same flags as cells. */
  toCells(): void {
    const { body, kind } = this;
    if (kind.op === 'cells') return;
    const convert = (carries: I32): void => {
      const c = body.let(carries);
      body.set(this.#b, i32.xor(i32.xor(this.#a, this.#b), this.#result));
      body.set(this.#a, c);
      body.set(this.#sign, this.#result);
    };
    if (kind.op === 'dynamic') {
      body.if(this.#op, () => {
        const vector = body.let(this.#carryVector(i32.and(this.#op, 1)));
        convert(i32.shl(vector, i32.shr_u(this.#op, 2)));
      });
    } else if (kind.op === 'logic') {
      body.set(this.#sign, this.#result);
      body.set(this.#a, i32.const(0));
      body.set(this.#b, i32.const(0));
    } else {
      convert(i32.shl(this.#carryVector(kind.op === 'sub' || kind.op === 'sbb'), 32 - kind.width));
    }
    this.#become(CELLS);
  }

  #take(op: 'add' | 'sub' | 'adc' | 'sbb', w: Width, a: I32, b: I32, r: I32): void {
    this.onChange();
    const { body } = this;
    const [x, y, z] = [body.let(a), body.let(b), body.let(extend(w, r))];
    body.set(this.#a, x);
    body.set(this.#b, y);
    body.set(this.#result, z);
    this.#become({ op, width: w });
  }

  // ---- FlagSemantics
  add(w: Width, a: I32, b: I32, r: I32, carryIn?: 'carry-in'): void {
    this.#take(carryIn === undefined ? 'add' : 'adc', w, a, b, r);
  }
  sub(w: Width, a: I32, b: I32, r: I32, carryIn?: 'carry-in'): void {
    this.#take(carryIn === undefined ? 'sub' : 'sbb', w, a, b, r);
  }
  inc(w: Width, a: I32, r: I32): void {
    this.#step(w, a, r, -1 << (w - 1));
  }
  dec(w: Width, a: I32, r: I32): void {
    this.#step(w, a, r, 2 ** (w - 1) - 1);
  }
  /** Overflow exactly when the result is `extreme`. */
  #step(w: Width, a: I32, r: I32, extreme: number): void {
    this.onChange();
    const { body } = this;
    const carry = body.let(this.get('cf'));
    const [x, z] = [body.let(a), body.let(extend(w, r))];
    body.set(this.#result, z);
    body.set(this.#sign, z);
    body.set(this.#b, i32.xor(i32.xor(x, 1), z));
    this.#setCarryOverflow(carry, i32.eq(z, extreme));
    this.#become(CELLS);
  }
  logic(w: Width, r: I32): void {
    this.onChange();
    const { body } = this;
    const z = body.let(extend(w, r));
    body.set(this.#result, z);
    // As if 0 had been added, for whoever knows the kind only at run time.
    body.set(this.#a, z);
    body.set(this.#b, i32.const(0));
    this.#become({ op: 'logic', width: w });
  }
  result(w: Width, r: I32): void {
    this.onChange();
    const { body } = this;
    const z = body.let(extend(w, r));
    this.toCells();
    body.set(this.#result, z);
    body.set(this.#sign, z);
  }

  #setCarryOverflow(carry: I32, overflow: I32): void {
    const c = this.body.let(carry);
    this.body.set(this.#a, i32.or(i32.shl(c, 31), i32.shl(i32.xor(c, overflow), 30)));
  }

  set(flags: { cf?: I32Like; of?: I32Like; af?: I32Like; zf?: I32Like; sf?: I32Like; pf?: I32Like }): void {
    this.onChange();
    const { body } = this;
    const pin = (v: I32Like | undefined): I32 | undefined => (v === undefined ? undefined : body.let(i32.add(v, 0)));
    const [cf, of, af, zf, sf, pf] = [flags.cf, flags.of, flags.af, flags.zf, flags.sf, flags.pf].map(pin);
    this.toCells();
    if (cf !== undefined || of !== undefined) {
      const carry = body.let(cf ?? this.get('cf'));
      this.#setCarryOverflow(carry, of ?? body.let(this.get('of')));
    }
    if (af !== undefined) body.set(this.#b, i32.shl(af, 4));
    if (zf !== undefined) body.set(this.#result, i32.xor(zf, 1));
    if (sf !== undefined || pf !== undefined) {
      const sign = body.let(sf ?? this.get('sf'));
      const parity = body.let(pf ?? this.get('pf'));
      body.set(this.#sign, i32.or(i32.shl(sign, 31), i32.xor(parity, 1)));
    }
  }

  get(flag: 'cf' | 'pf' | 'af' | 'zf' | 'sf' | 'of'): I32 {
    if (this.kind.op === 'dynamic') this.toCells();
    const { kind } = this;
    const [a, b, r] = [this.#a, this.#b, this.#result];
    const cells = kind.op === 'cells';
    switch (flag) {
      case 'zf':
        return i32.eqz(r);
      case 'sf':
        return i32.shr_u(cells ? this.#sign : r, 31);
      case 'pf':
        return i32.and(i32.not(i32.popcnt(i32.and(cells ? this.#sign : r, 0xff))), 1);
      case 'af':
        if (kind.op === 'logic') return i32.const(0);
        return i32.and(i32.shr_u(cells ? b : i32.xor(i32.xor(a, b), r), 4), 1);
      case 'cf':
        if (cells) return i32.shr_u(a, 31);
        if (kind.op === 'logic') return i32.const(0);
        if (kind.op === 'sub') return i32.lt_u(zeroExtend(kind.width, a), zeroExtend(kind.width, b));
        if (kind.op === 'add') return i32.lt_u(zeroExtend(kind.width, r), zeroExtend(kind.width, a));
        return i32.and(i32.shr_u(this.#carryVector(kind.op === 'sbb'), (kind as { width: Width }).width - 1), 1);
      case 'of':
        if (cells) return i32.shr_u(i32.xor(a, i32.shl(a, 1)), 31);
        if (kind.op === 'logic') return i32.const(0);
        return this.#overflow(kind as { op: 'add' | 'sub' | 'adc' | 'sbb'; width: Width });
    }
  }

  /** Operands of equal sign (of different ones for a subtraction) and a result of the other sign. */
  #overflow(kind: { readonly op: 'add' | 'sub' | 'adc' | 'sbb'; readonly width: Width }): I32 {
    const [a, b, r] = [this.#a, this.#b, this.#result];
    const changed = i32.xor(a, r);
    const other = kind.op === 'sub' || kind.op === 'sbb' ? i32.xor(a, b) : i32.xor(b, r);
    return i32.and(i32.shr_u(i32.and(changed, other), kind.width - 1), 1);
  }

  arithmetic(): I32 {
    const at = (flag: Parameters<LazyFlags['get']>[0], bit: number): I32 => i32.shl(this.get(flag), bit);
    return i32.or(
      i32.or(i32.or(this.get('cf'), at('pf', 2)), i32.or(at('af', 4), at('zf', 6))),
      i32.or(at('sf', 7), at('of', 11)),
    );
  }

  load(eflags: I32, mask: number): void {
    const value = this.body.let(eflags);
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
    const code = cc >= 0 ? cc : this.conditionCode();
    if (this.kind.op === 'dynamic') this.toCells();
    const { kind } = this;
    const fused =
      kind.op === 'sub' ? this.#compared(code, kind.width) : kind.op === 'logic' ? this.#tested(code) : null;
    return fused ?? this.#composed(code);
  }

  /** Condition after a - b. */
  #compared(code: number, w: Width): I32 | null {
    const unsigned = (): [I32, I32] => [zeroExtend(w, this.#a), zeroExtend(w, this.#b)];
    const signed = (): [I32, I32] => [extend(w, this.#a), extend(w, this.#b)];
    switch (code) {
      case 2:
        return i32.lt_u(...unsigned());
      case 3:
        return i32.ge_u(...unsigned());
      case 4:
        return w === 32 ? i32.eq(this.#a, this.#b) : i32.eqz(this.#result);
      case 5:
        return w === 32 ? i32.ne(this.#a, this.#b) : i32.ne(this.#result, 0);
      case 6:
        return i32.le_u(...unsigned());
      case 7:
        return i32.gt_u(...unsigned());
      case 8:
        return i32.lt_s(this.#result, 0);
      case 9:
        return i32.ge_s(this.#result, 0);
      case 12:
        return i32.lt_s(...signed());
      case 13:
        return i32.ge_s(...signed());
      case 14:
        return i32.le_s(...signed());
      case 15:
        return i32.gt_s(...signed());
      default:
        return null;
    }
  }

  /** Condition after a logical operation: no carry, no overflow. */
  #tested(code: number): I32 | null {
    const r = this.#result;
    switch (code) {
      case 0:
      case 2:
        return i32.const(0);
      case 1:
      case 3:
        return i32.const(1);
      case 4:
      case 6:
        return i32.eqz(r);
      case 5:
      case 7:
        return i32.ne(r, 0);
      case 8:
      case 12:
        return i32.lt_s(r, 0);
      case 9:
      case 13:
        return i32.ge_s(r, 0);
      case 14:
        return i32.le_s(r, 0);
      case 15:
        return i32.gt_s(r, 0);
      default:
        return null;
    }
  }

  #composed(code: number): I32 {
    const less = (): I32 => i32.xor(this.get('sf'), this.get('of'));
    const base = [
      () => this.get('of'),
      () => this.get('cf'),
      () => this.get('zf'),
      () => i32.or(this.get('cf'), this.get('zf')),
      () => this.get('sf'),
      () => this.get('pf'),
      less,
      () => i32.or(this.get('zf'), less()),
    ][code >> 1]();
    return code & 1 ? i32.eqz(base) : base;
  }
}
