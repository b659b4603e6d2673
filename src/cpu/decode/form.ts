import { assert } from '../../base/assert.js';
import type { Instruction } from '../../isa/instruction.js';
import type { OperandSpec } from './operand-notation.js';
import { parseOperands } from './operand-notation.js';

/** A table entry with its encoding pattern taken apart. */
export interface Encoding {
  readonly instruction: Instruction;
  readonly operands: readonly OperandSpec[];
  readonly mandatoryPrefix: 'none' | 'any' | 0x66 | 0xf2 | 0xf3;
  /** 0: one-byte opcodes, 1: 0F. */
  readonly map: 0 | 1;
  /** Opcode bytes this entry answers to: several for +r and +cc. */
  readonly opcodes: readonly number[];
  /** null: no ModRM. Otherwise which ModRM bytes match. */
  readonly modrm: null | {
    readonly digit: number | null;
    readonly exact: readonly number[] | null;
    readonly mod: 'any' | 'register' | 'memory';
  };
}

/** One variant of an encoding: what a handler is generated for. */
export interface Form {
  readonly id: number;
  readonly encoding: Encoding;
  readonly operandSize: 16 | 32;
  /** The ModRM operand (or moffs) is memory. */
  readonly memory: boolean;
}

const DIGIT = /^\/([0-7])$/;

/** Parses one table entry's pattern; see isa/instruction.ts for the notation. */
export function parseEncoding(instruction: Instruction): Encoding {
  const where = `${instruction.mnemonic} "${instruction.pattern}"`;
  const operands = parseOperands(instruction.operands);
  let tokens = instruction.pattern
    .trim()
    .split(/\s+/)
    .flatMap((t) => (t.match(/^[0-9A-F]{2}\+.+$/i) ? [t.slice(0, 2), t.slice(2)] : [t]));
  let mandatoryPrefix: Encoding['mandatoryPrefix'] = 'any';
  if (tokens[0] === 'NP') {
    mandatoryPrefix = 'none';
    tokens = tokens.slice(1);
  } else if (tokens.length > 1 && /^(66|F2|F3)$/i.test(tokens[0])) {
    mandatoryPrefix = parseInt(tokens[0], 16) as 0x66 | 0xf2 | 0xf3;
    tokens = tokens.slice(1);
  }
  let map: 0 | 1 = 0;
  if (tokens[0].toUpperCase() === '0F' && tokens.length > 1 && /^[0-9A-F]{2}$/i.test(tokens[1])) {
    map = 1;
    tokens = tokens.slice(1);
  }
  assert(/^[0-9A-F]{2}$/i.test(tokens[0]), `${where}: opcode expected`);
  const first = parseInt(tokens[0], 16);
  const rest = tokens.slice(1);
  const rm = operands.find((o) => o.source === 'rm');
  const constraint = rm?.modrm === 'register' ? 'register' : rm?.modrm === 'memory' ? 'memory' : 'any';
  let opcodes = [first];
  let modrm: Encoding['modrm'] = null;
  for (const token of rest) {
    const digit = DIGIT.exec(token);
    if (token === '/r') modrm = { digit: null, exact: null, mod: constraint };
    else if (digit) modrm = { digit: Number(digit[1]), exact: null, mod: constraint };
    else if (token === '+r') opcodes = Array.from({ length: 8 }, (_, i) => first + i);
    else if (token === '+cc') opcodes = Array.from({ length: 16 }, (_, i) => first + i);
    else if (token === '+i') {
      const base: number = modrm!.exact![0];
      modrm = { digit: null, exact: [0, 1, 2, 3, 4, 5, 6, 7].map((i: number) => base + i), mod: 'register' };
    } else {
      assert(/^[0-9A-F]{2}$/i.test(token), `${where}: token ${token}`);
      modrm = { digit: null, exact: [parseInt(token, 16)], mod: 'any' };
    }
  }
  assert(rm === undefined || modrm !== null, `${where}: a ModRM operand without ModRM`);
  return { instruction, operands, mandatoryPrefix, map, opcodes, modrm };
}
