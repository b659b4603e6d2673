import { describe, expect, it } from 'vitest';
import type { Encoding } from '../../../src/cpu/decode/form.js';
import { parseEncoding } from '../../../src/cpu/decode/form.js';
import { OpcodeMap } from '../../../src/cpu/decode/opcode-map.js';
import { instruction } from '../../../src/isa/instruction.js';
import { INSTRUCTIONS } from '../../../src/isa/table.js';
import { UNDEFINED_OPCODES } from '../../../src/isa/undefined-opcodes.js';

const FEATURES = new Set(['FPU', 'CX8', 'CMOV', 'SEP', 'MMX', 'SSE', 'SSE2', 'SSE3', 'TSC', 'MSR', 'FXSR']);
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const ESCAPE = 0x0f;

const encodings = INSTRUCTIONS.map(parseEncoding);

/** ModRM bytes an encoding answers to; [0] when it has none. */
function modrmBytes({ modrm }: Encoding): number[] {
  if (modrm === null) return [0];
  return Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) =>
      (modrm.exact === null || modrm.exact.includes(byte)) &&
      (modrm.digit === null || ((byte >> 3) & 7) === modrm.digit) &&
      (modrm.mod === 'any' || byte >= 0xc0 === (modrm.mod === 'register')),
  );
}

const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');
const at = (map: number, opcode: number): string => `${map === 1 ? '0F ' : ''}${hex(opcode)}`;

/** x87 and SIMD opcodes, whose reserved encodings are not listed one by one. */
function isCoprocessor(map: number, opcode: number): boolean {
  if (map === 0) return opcode >= 0xd8 && opcode <= 0xdf;
  const ranges = [
    [0x10, 0x17],
    [0x28, 0x2f],
    [0x50, 0x77],
    [0x7c, 0x7f],
    [0xae, 0xae],
    [0xc2, 0xc6],
    [0xd0, 0xfe],
  ];
  return ranges.some(([low, high]) => opcode >= low && opcode <= high);
}

/** The cells `opcode[:modrm]` that the undefined list names. */
function undefinedCells(): Set<string> {
  const cells = new Set<string>();
  for (const { pattern, form } of UNDEFINED_OPCODES) {
    const e = parseEncoding(instruction('undefined', pattern, '', () => {}));
    for (const opcode of e.opcodes) {
      for (const byte of modrmBytes(e)) {
        if (form !== undefined && byte >= 0xc0 !== (form === 'register')) continue;
        cells.add(e.modrm === null ? at(e.map, opcode) : `${at(e.map, opcode)}:${hex(byte)}`);
      }
    }
  }
  return cells;
}

describe('the instruction table', () => {
  it('has no two entries for one encoding', () => {
    const owners = new Map<string, string>();
    const clashes: string[] = [];
    for (const e of encodings) {
      const specific = e.modrm?.exact ? 'exact' : 'general';
      for (const opcode of e.opcodes) {
        for (const byte of modrmBytes(e)) {
          const key = `${e.mandatoryPrefix} ${at(e.map, opcode)}:${hex(byte)} ${specific}`;
          const owner = owners.get(key);
          const name = `${e.instruction.mnemonic} ${e.instruction.pattern}`;
          if (owner !== undefined) clashes.push(`${key}: ${owner}, ${name}`);
          owners.set(key, name);
        }
      }
    }
    expect(clashes).toEqual([]);
  });

  it('never mixes entries with and without ModRM under one opcode', () => {
    const kinds = new Map<string, Set<boolean>>();
    for (const e of encodings) {
      for (const opcode of e.opcodes) {
        const key = at(e.map, opcode);
        kinds.set(key, (kinds.get(key) ?? new Set()).add(e.modrm !== null));
      }
    }
    expect([...kinds].filter(([, kind]) => kind.size > 1).map(([key]) => key)).toEqual([]);
  });

  it('defines every opcode, or lists it as undefined with a reason', () => {
    const listed = undefinedCells();
    const missing: string[] = [];
    const seen = new Set<string>();
    for (const map of [0, 1]) {
      for (let opcode = 0; opcode < 256; opcode++) {
        if (map === 0 && (PREFIXES.includes(opcode) || opcode === ESCAPE)) continue;
        const name = at(map, opcode);
        const here = encodings.filter((e) => e.map === map && e.opcodes.includes(opcode));
        if (isCoprocessor(map, opcode)) continue;
        if (here.length === 0 && UNDEFINED_OPCODES.every((u) => !u.pattern.startsWith(name))) missing.push(name);
        if (here.some((e) => e.modrm === null)) continue;
        const defined = new Set(here.flatMap(modrmBytes));
        for (let byte = 0; byte < 256 && here.length > 0; byte++) {
          const cell = `${name}:${hex(byte)}`;
          if (!defined.has(byte) && !listed.has(cell)) missing.push(cell);
          if (!defined.has(byte)) seen.add(cell);
        }
      }
    }
    expect(missing).toEqual([]);
    // And the list names nothing that the table defines.
    const whole = [...listed].filter((cell) => !cell.includes(':'));
    const partial = [...listed].filter((cell) => cell.includes(':'));
    expect(partial.filter((cell) => !seen.has(cell))).toEqual([]);
    expect(whole.filter((cell) => encodings.some((e) => e.opcodes.some((o) => at(e.map, o) === cell)))).toEqual([]);
  });

  it('resolves every listed undefined opcode to nothing, whatever the prefixes', () => {
    const map = new OpcodeMap(INSTRUCTIONS, FEATURES);
    const found: string[] = [];
    for (const cell of undefinedCells()) {
      const [opcode, byte = '00'] = cell.split(':');
      const bytes = opcode.split(' ').map((text) => parseInt(text, 16));
      for (const repeat of [0, 0xf2, 0xf3] as const) {
        for (const operandSizeOverride of [false, true]) {
          const prefixes = { operandSizeOverride, repeat };
          const form = map.resolve(
            bytes.length === 2 ? 1 : 0,
            bytes[bytes.length - 1],
            prefixes,
            parseInt(byte, 16),
            32,
          );
          if (form !== null) found.push(cell);
        }
      }
    }
    expect(found).toEqual([]);
  });

  it('allows LOCK only where the first operand can be memory', () => {
    const wrong = INSTRUCTIONS.filter((i) => i.options.lock && !/^[EM]/.test(i.operands));
    expect(wrong.map((i) => i.pattern)).toEqual([]);
  });

  it('names only CPUID features that the machine configuration knows', () => {
    const features = INSTRUCTIONS.map((i) => i.options.feature).filter((f) => f !== undefined);
    expect([...new Set(features)].filter((f) => !FEATURES.has(f))).toEqual([]);
  });

  it('takes instructions away with their feature', () => {
    const without = new OpcodeMap(INSTRUCTIONS, new Set([...FEATURES].filter((f) => f !== 'CMOV')));
    const prefixes = { operandSizeOverride: false, repeat: 0 } as const;
    expect(without.resolve(1, 0x44, prefixes, 0xc1, 32)).toBeNull();
    expect(new OpcodeMap(INSTRUCTIONS, FEATURES).resolve(1, 0x44, prefixes, 0xc1, 32)).not.toBeNull();
  });

  it('finds PAUSE and NOP before the exchange of EAX with itself', () => {
    const map = new OpcodeMap(INSTRUCTIONS, FEATURES);
    const mnemonic = (operandSizeOverride: boolean, repeat: 0 | 0xf2 | 0xf3): string | undefined =>
      map.resolve(0, 0x90, { operandSizeOverride, repeat }, 0, 32)?.encoding.instruction.mnemonic;
    expect(mnemonic(false, 0)).toBe('NOP');
    expect(mnemonic(false, 0xf3)).toBe('PAUSE');
    expect(mnemonic(true, 0)).toBe('XCHG');
  });
});
