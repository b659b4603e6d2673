import { describe, expect, it } from 'vitest';
import '../../../src/base/platform.js';
import { buildModule } from '../../../src/cpu/wasm/module.js';
import { STATE } from '../../../src/isa/cpu-state.js';
import { routine } from '../../../src/isa/ir/body.js';
import { f32, f64, i32, i64 } from '../../../src/isa/ir/expr.js';
import { relationOfDoubles, relationOfSingles } from '../../../src/isa/simd/float/compare.js';
import { doubleArithmetic } from '../../../src/isa/simd/float/fast-double.js';
import { singleArithmetic } from '../../../src/isa/simd/float/fast-single.js';
import { USUAL_DOUBLE, USUAL_SINGLE, areUsual, isUsualResult } from '../../../src/isa/simd/float/usual.js';
import { generator, operand } from './operand-generator.js';
import { ScalarUnit } from './scalar-routines.js';

const NAMES = ['add', 'sub', 'mul', 'div'] as const;
type Name = (typeof NAMES)[number];
const ROUTINES = { add: 'Add', sub: 'Subtract', mul: 'Multiply', div: 'Divide' } as const;
const PE = 0x20;
const STICKY = 0x1fa0;
const upper = (v: ReturnType<typeof i64.load>): ReturnType<typeof i32.load> => i32.wrap(i64.shr_u(v, 32n));

/** Results in place with a word that says whether they count: bit patterns go in, and lie in the scratch cells after. */
const kernels = [
  ...NAMES.map((name) =>
    routine(`double ${name}`, ['i64', 'i64'], 'i32', (b, x, y) => {
      const r = b.let(i64.reinterpret(doubleArithmetic[name].compute(f64.reinterpret(x), f64.reinterpret(y))));
      b.store64(STATE.scratch, r);
      b.return(isUsualResult(USUAL_DOUBLE, upper(r), upper(x), upper(y)));
    }),
  ),
  ...NAMES.map((name) =>
    routine(`single ${name}`, ['i32', 'i32'], 'i32', (b, x, y) => {
      const r = b.let(i32.reinterpret(singleArithmetic[name].compute(f32.reinterpret(x), f32.reinterpret(y))));
      b.store(STATE.scratch, r);
      b.return(isUsualResult(USUAL_SINGLE, r, x, y));
    }),
  ),
  routine('double relation', ['i64', 'i64'], 'i32', (b, x, y) => {
    b.store(STATE.scratch, relationOfDoubles(x, y));
    b.return(areUsual(USUAL_DOUBLE, upper(x), upper(y)));
  }),
  routine('single relation', ['i32', 'i32'], 'i32', (b, x, y) => {
    b.store(STATE.scratch, relationOfSingles(x, y));
    b.return(areUsual(USUAL_SINGLE, x, y));
  }),
];
const memory = new WebAssembly.Memory({ initial: 1 });
const view = new DataView(memory.buffer);
const compiled = new WebAssembly.Module(buildModule({ exports: kernels }).bytes);
const kernel = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Record<
  string,
  (...args: (number | bigint)[]) => number
>;
const unit = new ScalarUnit();
const low = (v: bigint): number => Number(BigInt.asIntN(32, v));

const FORMATS = [
  { format: 'double', exponentBits: 11, fractionBits: 52 },
  { format: 'single', exponentBits: 8, fractionBits: 23 },
] as const;

for (const { format, exponentBits, fractionBits } of FORMATS) {
  const isDouble = format === 'double';
  const argument = (v: bigint): bigint | number => (isDouble ? BigInt.asIntN(64, v) : low(v));
  const scratch = (): bigint =>
    isDouble ? view.getBigUint64(STATE.scratch, true) : BigInt(view.getUint32(STATE.scratch, true));
  const general = (name: Name, x: bigint, y: bigint): bigint => {
    if (!isDouble) return BigInt(unit.routines[`single${ROUTINES[name]}`](low(x), low(y)) >>> 0);
    return BigInt.asUintN(64, unit.routines[`double${ROUTINES[name]}`](BigInt.asIntN(64, x), BigInt.asIntN(64, y)));
  };

  describe(`${format} operations in place`, () => {
    for (const name of NAMES) {
      it(`${name}: where the result counts it is that of the routine, which notes PE at most`, () => {
        const next = generator(0x1234 + NAMES.indexOf(name));
        const failures: string[] = [];
        let usual = 0;
        for (let i = 0; i < 60_000; i++) {
          const x = operand(next, exponentBits, fractionBits, isDouble ? 0x3ff0n << 48n : 0x3f80n << 16n);
          const y = operand(next, exponentBits, fractionBits, x);
          // Every rounding mode, and PE masked, set, or not.
          const csr = i % 4 ? STICKY : next() & 0xffff;
          view.setUint32(STATE.mxcsr, csr, true);
          if (!kernel[`${format} ${name}`](argument(x), argument(y))) continue;
          usual++;
          // With PE clear the routine says whether there is something to note.
          unit.begin(csr & ~PE);
          const wanted = general(name, x, y);
          if (scratch() !== wanted || unit.flags & ~PE || (csr & 0x7020) !== 0x1020) {
            failures.push(`${x.toString(16)} ${y.toString(16)} mxcsr ${csr.toString(16)} flags ${unit.flags}`);
          }
        }
        expect(failures.slice(0, 5)).toEqual([]);
        expect(usual).toBeGreaterThan(15_000);
      });
    }

    it('comparisons: where the relation counts it is that of the routine, which notes nothing', () => {
      const next = generator(0x4321);
      let usual = 0;
      for (let i = 0; i < 30_000; i++) {
        const x = operand(next, exponentBits, fractionBits, isDouble ? 0x3ff0n << 48n : 0x3f80n << 16n);
        const y = next() % 8 ? operand(next, exponentBits, fractionBits, x) : x;
        if (!kernel[`${format} relation`](argument(x), argument(y))) continue;
        usual++;
        unit.begin(0x1f80);
        const wanted = isDouble
          ? unit.routines.doubleCompare(BigInt.asIntN(64, x), BigInt.asIntN(64, y), 1)
          : unit.routines.singleCompare(low(x), low(y), 1);
        expect(`${x} ${y} ${view.getUint32(STATE.scratch, true)} ${unit.flags}`).toBe(`${x} ${y} ${wanted} 0`);
      }
      expect(usual).toBeGreaterThan(15_000);
    });
  });
}
