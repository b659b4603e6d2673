import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/base/bytes.js';
import { MmioBus } from '../../../src/core/bus.js';
import type { Cpu } from '../../../src/cpu/cpu.js';
import { PollingLoop } from '../../../src/cpu/interpreter/polling-loop.js';
import { createBareCpu } from '../../../src/host/bare-cpu.js';
import { cpuCode } from '../../../src/host/cpu-code.js';
import { EBX, ECX, EDX, ESP } from '../../../src/isa/cpu-state.js';
import { startAt } from './start.js';

const RAM_BYTES = 0x10_0000;
const CODE = 0x8000;
const COUNTERS = 0x9000;
const PORT = 0x3da;

/** How a port's value changes with time: at each of these distances, over and over. */
interface Signal {
  readonly gaps: readonly number[];
  readonly values: readonly number[];
}

function at({ gaps, values }: Signal, tick: number): { value: number; until: number } {
  const total = gaps.reduce((sum, gap) => sum + gap, 0);
  let until = Math.floor(tick / total) * total;
  for (let i = 0; ; i++) {
    until += gaps[i];
    if (tick < until) return { value: values[i % values.length], until };
  }
}

/** A CPU whose port follows a signal, and says how long a value stands or does not. */
function machine(signal: Signal, isTelling: boolean, tier: 'interpreter' | 'regions'): Cpu {
  const cpu = createBareCpu({
    ramBytes: RAM_BYTES,
    mmio: new MmioBus(),
    tier,
    io: {
      read: (port) => (port === PORT ? at(signal, cpu.now).value : 0xff),
      write: () => {},
      exempt: () => false,
      ...(isTelling ? { steadyUntil: (port: number) => (port === PORT ? at(signal, cpu.now).until : 0) } : {}),
    },
  });
  return cpu;
}

function start(cpu: Cpu, is32: boolean, code: readonly number[]): void {
  const { state } = cpu;
  state.setGpr(EDX, PORT);
  state.setGpr(EBX, COUNTERS);
  state.setGpr(ECX, 0);
  state.setGpr(ESP, 0x7000);
  startAt(cpu, CODE, code, is32 ? 'flat' : 'real');
}

function look(cpu: Cpu): string {
  cpu.settle();
  const out = new ByteWriter();
  cpu.state.save(out);
  return Buffer.concat([out.finish(), cpu.physical.read(COUNTERS, 64)]).toString('hex');
}

const IN = [0xec];
const TESTS = { 'test al, 8': [0xa8, 8], 'and al, 9': [0x24, 9], 'cmp al, 1': [0x3c, 1], 'test al, bl': [0x84, 0xd8] };
const CHANGES = {
  nothing: [],
  'inc ecx': [0x41],
  'inc byte [bx]': [0xfe, 0x07],
  'mov ah, 5': [0xb4, 5],
  'xchg al, cl': [0x86, 0xc8],
};

/** `change`, IN, `test`, and back to the start while `condition`; then a count, and the same again. */
const program = fc
  .record({
    change: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.constantFrom(...Object.values(CHANGES))),
    isChangeFirst: fc.boolean(),
    test: fc.constantFrom(...Object.values(TESTS)),
    conditions: fc.array(fc.nat(15), { minLength: 1, maxLength: 3 }),
  })
  .map(({ change, isChangeFirst, test, conditions }) => {
    const body = isChangeFirst ? [...change, ...IN, ...test] : [...IN, ...test, ...change];
    const loops = conditions.flatMap((cc) => [...body, 0x70 | cc, -(body.length + 2) & 0xff]);
    // INC byte [BX + 4], or [EDI + 4] in 32-bit code, where EDI is 0.
    return [...loops, 0xfe, 0x47, 4, 0xeb, -(loops.length + 5) & 0xff];
  });

const signal = fc
  .record({
    gaps: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 2, maxLength: 8 }),
    values: fc.array(fc.constantFrom(0, 1, 8, 9, 0xff), { minLength: 2, maxLength: 8 }),
  })
  .map(({ gaps, values }): Signal => ({ gaps, values }));

describe('programs that poll a port', () => {
  it.each(['interpreter', 'regions'] as const)('do the same whether rounds are skipped or not (%s)', (tier) => {
    fc.assert(
      fc.property(
        fc.record({ code: program, is32: fc.boolean(), signal }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 3, maxLength: 12 }),
        ({ code, is32, signal: s }, cuts) => {
          const [telling, silent] = [machine(s, true, tier), machine(s, false, tier)];
          for (const cpu of [telling, silent]) start(cpu, is32, code);
          for (const ticks of cuts) {
            telling.run(telling.now + ticks);
            silent.run(silent.now + ticks);
            expect(telling.now).toBe(silent.now);
            expect(look(telling)).toBe(look(silent));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('are recognised by what they are made of', () => {
    const decoder = cpuCode().decoder();
    const ticksOf = (...bytes: number[]): number | undefined => {
      const loop = new PollingLoop();
      loop.begin();
      for (let offset = 0; offset < bytes.length; offset += decoder.result.length) {
        decoder.decode(Uint8Array.from(bytes), offset, bytes.length, true);
        loop.add(decoder.result, 1000 + offset, offset);
      }
      return loop.end()?.ticks;
    };
    expect(ticksOf(0xec, 0xa8, 8, 0x74, 0xfb)).toBe(3);
    expect(ticksOf(0xe4, 0x64, 0x24, 1, 0xa8, 1, 0x75, 0xf8)).toBe(4);
    expect(ticksOf(0x66, 0xba, 0xda, 3, 0xec, 0xf6, 0xc0, 8, 0x74, 0xf6)).toBe(4);
    // Elsewhere than to the start; a count; two ports; words; another register; no test at all.
    expect(ticksOf(0xec, 0xa8, 8, 0x74, 0xfc)).toBeUndefined();
    expect(ticksOf(0xec, 0xa8, 8, 0x41, 0x74, 0xfa)).toBeUndefined();
    expect(ticksOf(0xec, 0xec, 0xa8, 8, 0x74, 0xfa)).toBeUndefined();
    expect(ticksOf(0xed, 0xa8, 8, 0x74, 0xfb)).toBeUndefined();
    expect(ticksOf(0xec, 0xf6, 0xc1, 8, 0x74, 0xfa)).toBeUndefined();
    expect(ticksOf(0xec, 0x74, 0xfd)).toBeUndefined();
  });
});
