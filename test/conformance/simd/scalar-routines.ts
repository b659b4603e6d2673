import '../../../src/base/platform.js';
import { STATE } from '../../../src/isa/cpu-state.js';
import type { Routine } from '../../../src/isa/ir/body.js';
import { buildModule } from '../../../src/cpu/wasm/module.js';
import * as compare from '../../../src/isa/simd/float/compare.js';
import * as convert from '../../../src/isa/simd/float/convert.js';
import { doubleArithmetic, doubleSquareRoot } from '../../../src/isa/simd/float/fast-double.js';
import { singleArithmetic, singleSquareRoot } from '../../../src/isa/simd/float/fast-single.js';
import { softArithmetic, softSquareRoot } from '../../../src/isa/simd/float/soft-arithmetic.js';

type F32x2 = (a: number, b: number) => number;
type F64x2 = (a: bigint, b: bigint) => bigint;

/** The routines as JavaScript sees them; i64 are signed bigints. */
export interface ScalarRoutines {
  readonly singleAdd: F32x2;
  readonly singleSubtract: F32x2;
  readonly singleMultiply: F32x2;
  readonly singleDivide: F32x2;
  readonly singleSquareRoot: (a: number) => number;
  readonly singleMin: F32x2;
  readonly singleMax: F32x2;
  readonly singleCompare: (a: number, b: number, signalQuiet: number) => number;
  readonly singleToDouble: (a: number) => bigint;
  readonly singleToInteger: (a: number, rc: number) => number;
  readonly integerToSingle: (a: number) => number;
  readonly doubleAdd: F64x2;
  readonly doubleSubtract: F64x2;
  readonly doubleMultiply: F64x2;
  readonly doubleDivide: F64x2;
  readonly doubleSquareRoot: (a: bigint) => bigint;
  readonly doubleMin: F64x2;
  readonly doubleMax: F64x2;
  readonly doubleCompare: (a: bigint, b: bigint, signalQuiet: number) => number;
  readonly doubleToSingle: (a: bigint) => number;
  readonly doubleToInteger: (a: bigint, rc: number) => number;
  readonly softArithmetic: (operation: number, e: number, a: bigint, b: bigint) => bigint;
  readonly softSquareRoot: (e: number, a: bigint) => bigint;
}

/** The scalar floating-point routines in a module of their own. */
export class ScalarUnit {
  readonly #view: DataView;
  readonly routines: ScalarRoutines;

  constructor() {
    const { singleCompare, singleMin, singleMax, doubleCompare, doubleMin, doubleMax } = compare;
    const { doubleToInteger, doubleToSingle, integerToSingle, singleToDouble, singleToInteger } = convert;
    const exports: Routine[] = [
      ...Object.values(doubleArithmetic).map((o) => o.general),
      ...Object.values(singleArithmetic).map((o) => o.general),
      ...[doubleSquareRoot, singleSquareRoot, softArithmetic, softSquareRoot],
      ...[singleCompare, singleMin, singleMax, doubleCompare, doubleMin, doubleMax],
      ...[doubleToInteger, doubleToSingle, integerToSingle, singleToDouble, singleToInteger],
    ];
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(buildModule({ exports }).bytes);
    this.#view = new DataView(memory.buffer);
    this.routines = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as ScalarRoutines;
  }

  /** Sets MXCSR and forgets the flags met. */
  begin(mxcsr: number): void {
    this.#view.setUint32(STATE.mxcsr, mxcsr, true);
    this.#view.setUint32(STATE.mxcsrPending, 0, true);
  }
  /** Exception flags met since begin(). */
  get flags(): number {
    return this.#view.getUint32(STATE.mxcsrPending, true);
  }
}
