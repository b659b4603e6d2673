import '../../../src/base/platform.js';
import { describe, expect, it } from 'vitest';
import { STATE } from '../../../src/isa/cpu-state.js';
import { routine } from '../../../src/isa/ir/body.js';
import { call, i32, v128 } from '../../../src/isa/ir/expr.js';
import { buildModule } from '../../../src/cpu/wasm/module.js';
import { packedArithmetic } from '../../../src/isa/simd/float/packed.js';
import type { OnVector } from '../../../src/isa/simd/float/packed.js';
import { generator, operand } from './operand-generator.js';
import { ScalarUnit } from './scalar-routines.js';

const X = 0x8000;
const Y = 0x8010;
const RESULT = 0x8020;

/** JavaScript cannot pass vectors: the operands and the result lie in memory. */
const overMemory = (name: string, f: OnVector) =>
  routine(name, [], null, (b) => {
    const operands = [X, Y].slice(0, f.params.length).map((at) => v128.load(i32.const(at)));
    b.storeV128(RESULT, call(f, ...operands));
  });

const NAMES = ['add', 'sub', 'mul', 'div', 'sqrt'] as const;
const FORMATS = { single: [8, 23, 4], double: [11, 52, 8] } as const;
/** PE set and not, other rounding, PE unmasked, FZ with DAZ. The first is the one in which lanes go all at once. */
const MODES = [0x1fa0, 0x1fa0, 0x1fa0, 0x1f80, 0x3fa0, 0x5fa0, 0x0fa0, 0x9fe0];
const ROUNDS = 60_000;

const exports = (['single', 'double'] as const).flatMap((format) =>
  NAMES.map((name) => overMemory(`${format}.${name}`, packedArithmetic[format][name])),
);
const memory = new WebAssembly.Memory({ initial: 1 });
const instance = new WebAssembly.Instance(new WebAssembly.Module(buildModule({ exports }).bytes), { env: { memory } });
const run = instance.exports as Record<string, () => void>;
const view = new DataView(memory.buffer);
const exact = new ScalarUnit();

describe('packed arithmetic', () => {
  it.each((['single', 'double'] as const).flatMap((format) => NAMES.map((name) => [format, name] as const)))(
    '%s %s gives in every lane what the exact routine gives, and all flags',
    (format, name) => {
      const [exponentBits, fractionBits, laneBytes] = FORMATS[format];
      const next = generator(0x2545_f491);
      const one = ((1n << BigInt(exponentBits - 1)) - 1n) << BigInt(fractionBits);
      const get = (at: number): bigint =>
        laneBytes === 4 ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true);
      const put = (at: number, value: bigint): void =>
        laneBytes === 4 ? view.setUint32(at, Number(value), true) : view.setBigUint64(at, value, true);
      const align = BigInt(64 - 8 * laneBytes);
      for (let round = 0; round < ROUNDS; round++) {
        for (let at = X; at < RESULT; at += laneBytes) {
          // Mostly ordinary numbers, so that one lane alone is special.
          const ordinary = one ^ (BigInt(next()) & 0xf_ffffn);
          put(at, next() % 6 ? ordinary : operand(next, exponentBits, fractionBits, at < Y ? one : get(at - 16)));
        }
        const mode = MODES[round % MODES.length];
        view.setUint32(STATE.mxcsr, mode, true);
        view.setUint32(STATE.mxcsrPending, 0, true);
        run[`${format}.${name}`]();
        exact.begin(mode);
        for (let at = 0; at < 16; at += laneBytes) {
          const [x, y] = [get(X + at) << align, get(Y + at) << align];
          const result =
            name === 'sqrt'
              ? exact.routines.softSquareRoot(exponentBits, x)
              : exact.routines.softArithmetic(NAMES.indexOf(name), exponentBits, x, y);
          if (get(RESULT + at) !== BigInt.asUintN(64, result) >> align) {
            expect.fail(
              `${x.toString(16)} ${y.toString(16)} mode ${mode.toString(16)}: ${get(RESULT + at).toString(16)}`,
            );
          }
        }
        const known = mode & 0x1000 ? mode & 0x20 : 0;
        expect(view.getUint32(STATE.mxcsrPending, true) | known).toBe(exact.flags | known);
      }
    },
  );
});
