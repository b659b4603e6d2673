import '../../../src/base/platform.js';
import { buildModule } from '../../../src/cpu/wasm/module.js';
import { STATE } from '../../../src/isa/cpu-state.js';
import type { Routine } from '../../../src/isa/ir/body.js';
import { routine } from '../../../src/isa/ir/body.js';
import { i32, select } from '../../../src/isa/ir/expr.js';
import { add } from '../../../src/isa/x87/add-sub.js';
import { ARITHMETIC_ROUTINES } from '../../../src/isa/x87/arithmetic.js';
import type { ShortFormat } from '../../../src/isa/x87/convert-float.js';
import {
  DOUBLE,
  SINGLE,
  loadDouble,
  loadSingle,
  narrowPlain,
  storeDouble,
  storeSingle,
} from '../../../src/isa/x87/convert-float.js';
import { loadInteger, storeInteger } from '../../../src/isa/x87/convert-int.js';
import { divide } from '../../../src/isa/x87/divide.js';
import { loadReal } from '../../../src/isa/x87/format.js';
import { convertDouble, convertInteger, convertSingle } from '../../../src/isa/x87/memory-operand.js';
import { multiply } from '../../../src/isa/x87/multiply.js';
import { squareRoot } from '../../../src/isa/x87/sqrt.js';
import { WORK, setOperand, setResult } from '../../../src/isa/x87/work.js';
import type { Real } from './generator.js';

/** fastNarrow(): ST(0), register 0, as narrowPlain() has it in the result; returns its flags, or -1 where it does not fit. */
const narrowing = (name: string, format: ShortFormat): Routine =>
  routine(name, [], 'i32', (b) => {
    const { fits, value, flags } = narrowPlain(b, format, loadReal(b, STATE.fpr));
    setResult(b, value);
    b.return(select(fits, flags, i32.const(-1)));
  });
const converting = (name: string, convert: typeof convertDouble): Routine =>
  routine(name, ['i64'], null, (b, bits) => {
    const { significand, signExponent } = convert(b, bits);
    setOperand(b, significand, signExponent);
  });

type General = (target: number, a: bigint, signExponentA: number, b: bigint, signExponentB: number) => number;
interface Routines {
  readonly x87Multiply: General;
  readonly x87Divide: General;
  readonly x87Add: (...args: [...Parameters<General>, flip: number]) => number;
  readonly x87SquareRoot: (target: number, a: bigint, signExponent: number) => number;
  readonly x87StoreSingle: () => number;
  readonly x87StoreDouble: () => number;
  readonly x87StoreInteger: (largest: bigint, symmetric: number, control: number) => number;
  readonly narrowSingle: () => number;
  readonly narrowDouble: () => number;
  readonly x87LoadSingle: (bits: number) => void;
  readonly x87LoadDouble: (bits: bigint) => void;
  readonly x87LoadInteger: (value: bigint) => void;
  readonly convertSingle: (bits: bigint) => void;
  readonly convertDouble: (bits: bigint) => void;
  readonly convertInteger: (value: bigint) => void;
}
type Binary = Record<string, (...args: (number | bigint)[]) => number>;

/** The x87's arithmetic in a module of its own. */
export class ArithmeticUnit {
  readonly view: DataView;
  readonly routines: Routines;
  readonly #binary: Binary;

  constructor() {
    const exports: Routine[] = [
      ...Object.values(ARITHMETIC_ROUTINES).flatMap((r) => Object.values(r) as Routine[]),
      ...[add, multiply, divide, squareRoot, storeSingle, storeDouble, storeInteger],
      ...[loadSingle, loadDouble, loadInteger],
      ...[narrowing('narrowSingle', SINGLE), narrowing('narrowDouble', DOUBLE)],
      converting('convertSingle', convertSingle),
      converting('convertDouble', convertDouble),
      converting('convertInteger', convertInteger),
    ];
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(buildModule({ exports }).bytes);
    this.view = new DataView(memory.buffer);
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    this.routines = instance.exports as unknown as Routines;
    this.#binary = instance.exports as unknown as Binary;
  }

  /** Runs one of ARITHMETIC_ROUTINES by its name. */
  run(name: string, ...args: (number | bigint)[]): number {
    return this.#binary[name](...args);
  }

  setWords(control: number, status: number, tags: number): void {
    this.view.setUint32(STATE.fcw, control, true);
    this.view.setUint32(STATE.fsw, status, true);
    this.view.setUint32(STATE.ftag, tags, true);
  }
  get status(): number {
    return this.view.getUint32(STATE.fsw, true);
  }
  get tags(): number {
    return this.view.getUint32(STATE.ftag, true);
  }
  register(index: number): Real {
    return this.#real(ArithmeticUnit.address(index));
  }
  setRegister(index: number, { significand, signExponent }: Real): void {
    this.view.setBigUint64(ArithmeticUnit.address(index), significand, true);
    this.view.setUint16(ArithmeticUnit.address(index) + 8, signExponent, true);
  }
  static address(index: number): number {
    return STATE.fpr + 16 * (index & 7);
  }
  get operand(): Real {
    return { ...this.#real(WORK.OPERAND), signExponent: this.view.getUint32(WORK.OPERAND + 8, true) };
  }
  get result(): bigint {
    return this.view.getBigUint64(WORK.RESULT, true);
  }
  #real(at: number): Real {
    return { significand: this.view.getBigUint64(at, true), signExponent: this.view.getUint16(at + 8, true) };
  }
}
