import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DATA } from '../simd/real-mode-machine.js';
import type { Real, Trial } from './generator.js';
import { TrialGenerator, definesConditions } from './generator.js';
import { X87Machine, atData } from './machine.js';

const RECORD_BYTES = 54;
const UNDEFINED_CONDITIONS = 0x4500;
const ZERO: Real = { significand: 0n, signExponent: 0 };
const text = ({ significand, signExponent }: Real): string =>
  `${signExponent.toString(16).padStart(4, '0')}:${significand.toString(16).padStart(16, '0')}`;
const hex = (n: number): string => n.toString(16);

/** The end as named fields. */
type End = Record<'sw' | 'tags' | 'flags' | 'st0' | 'st1' | 'st2' | 'st7' | 'memory', string>;
/** Registers by their places before the instruction. */
const PLACES = [0, 1, 2, 7];

function expected(trial: Trial, record: DataView): End {
  const before = [...trial.registers, ZERO, ZERO, trial.memory];
  const [st0, st1, st2, st7, memory] = before.map(({ significand, signExponent }, i) =>
    text({
      significand: significand ^ record.getBigUint64(4 + 10 * i, true),
      signExponent: signExponent ^ record.getUint16(12 + 10 * i, true),
    }),
  );
  const [sw, tags, flags] = [record.getUint16(0, true), record.getUint8(2), record.getUint8(3)].map(hex);
  return { sw, tags, flags, st0, st1, st2, st7, memory };
}

function run(machine: X87Machine, trial: Trial): End {
  const top = (trial.status >> 11) & 7;
  machine.setState('fcw', trial.control);
  machine.setState('fsw', trial.status);
  machine.setState('ftag', trial.tags);
  for (let i = 0; i < 8; i++) machine.setPhysical(top + i, trial.registers[i] ?? ZERO);
  machine.setOperand(trial.memory);
  machine.cpu.state.eflags = 2 | trial.flags;
  const memory = trial.modrm < 0xc0;
  const operand = memory ? atData((trial.modrm >> 3) & 7) : [trial.modrm];
  machine.run(trial.opcode, ...operand);
  const sw = machine.state('fsw') & ~(definesConditions(trial) ? 0 : UNDEFINED_CONDITIONS);
  const [st0, st1, st2, st7] = PLACES.map((i) => text(machine.physical(top + i)));
  return {
    sw: hex(sw),
    tags: hex(machine.state('ftag')),
    flags: hex(machine.cpu.state.eflags & 0x45),
    ...{ st0, st1, st2, st7 },
    memory: text(machine.operand()),
  };
}

function describeTrial(trial: Trial): string {
  const registers = trial.registers.map(text).join(' ');
  return `${hex(trial.opcode)} ${hex(trial.modrm)} cw ${hex(trial.control)} ${registers} ${text(trial.memory)}`;
}

describe('x87 instructions with masked and unmasked exceptions', () => {
  it('end as on a real processor: results, flags, condition codes, stack', () => {
    const bytes = gunzipSync(readFileSync(new URL('../../fixtures/x87-unmasked/records.bin.gz', import.meta.url)));
    expect(bytes.length).toBe(12_000 * RECORD_BYTES);
    const generator = new TrialGenerator(1);
    const machine = new X87Machine();
    const failures: unknown[] = [];
    for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
      const trial = generator.draw();
      const wanted = expected(trial, new DataView(bytes.buffer, bytes.byteOffset + at, RECORD_BYTES));
      const actual = run(machine, trial);
      const fields = (Object.keys(wanted) as (keyof End)[]).filter((name) => wanted[name] !== actual[name]);
      if (fields.length > 0) {
        failures.push([describeTrial(trial), ...fields.map((f) => `${f} is ${actual[f]}, should be ${wanted[f]}`)]);
      }
    }
    expect(failures.slice(0, 20)).toEqual([]);
  });

  it('leaves memory behind the operand alone', () => {
    const machine = new X87Machine();
    machine.write(DATA, new Uint8Array(16).fill(0x55));
    machine.load(0x37f, { significand: 1n << 63n, signExponent: 0x3fff });
    machine.run(0xdb, ...atData(7));
    expect(machine.bytes(DATA, 12)).toEqual([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f, 0x55, 0x55]);
  });
});
