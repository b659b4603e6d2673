/**
 * Encodings that are deliberately absent from the table and so raise #UD, outside the x87 and SIMD opcodes. Patterns
 * as in isa/instruction.ts; `form` restricts one to register or memory operands.
 */
export interface UndefinedOpcode {
  readonly pattern: string;
  readonly form?: 'register' | 'memory';
  readonly reason: string;
}

function each(patterns: readonly string[], reason: string, form?: 'register' | 'memory'): UndefinedOpcode[] {
  return patterns.map((pattern) => ({ pattern, reason, ...(form ? { form } : {}) }));
}

const digits = (opcode: string, list: readonly number[]): string[] => list.map((digit) => `${opcode} /${digit}`);

export const UNDEFINED_OPCODES: readonly UndefinedOpcode[] = [
  ...each(
    ['62 /r', '8D /r', 'C4 /r', 'C5 /r', 'FF /3', 'FF /5', '0F B2 /r', '0F B4 /r', '0F B5 /r', '0F C7 /1'],
    'takes a memory operand',
    'register',
  ),
  ...each(
    digits('0F 01', [0, 1, 2, 3, 7]),
    'takes a memory operand (register forms came with later extensions)',
    'register',
  ),
  ...each(digits('8F', [1, 2, 3, 4, 5, 6, 7]), 'reserved in group 1A'),
  ...each(digits('C6', [1, 2, 3, 4, 5, 6, 7]), 'reserved in group 11'),
  ...each(digits('C7', [1, 2, 3, 4, 5, 6, 7]), 'reserved in group 11'),
  ...each(digits('FE', [2, 3, 4, 5, 6, 7]), 'reserved in group 4'),
  ...each(digits('FF', [7]), 'reserved in group 5'),
  ...each(digits('0F 00', [6, 7]), 'reserved in group 6'),
  ...each(digits('0F 01', [5]), 'reserved in group 7'),
  ...each(digits('0F BA', [0, 1, 2, 3]), 'reserved in group 8'),
  ...each(digits('0F C7', [0, 2, 3, 4, 5, 6, 7]), 'reserved in group 9 (VMX, RDRAND and XSAVE are later)'),
  ...each(
    ['0F 20 /r', '0F 21 /r', '0F 22 /r', '0F 23 /r'],
    'mod other than 11: assemblers cannot produce it; processors ignore the field',
    'memory',
  ),
  ...each(
    ['0F 04', '0F 0A', '0F 0C', '0F 25', '0F 27', '0F 39', '0F 3B', '0F 3C', '0F 3D', '0F 3E', '0F 3F'],
    'reserved',
  ),
  ...each(['0F 05', '0F 07'], 'SYSCALL and SYSRET are not of the i686'),
  ...each(['0F 0E', '0F 0F'], '3DNow! is not of the i686'),
  ...each(['0F 24', '0F 26'], 'test registers ended with the i486'),
  ...each(['0F 36', '0F 37'], 'reserved (GETSEC is later)'),
  ...each(['0F 38', '0F 3A'], 'SSSE3 and SSE4 are later'),
  ...each(['0F 78', '0F 79'], 'VMX is later'),
  ...each(['0F 7A', '0F 7B'], 'reserved'),
  ...each(['0F A6', '0F A7'], 'reserved'),
  ...each(['0F B8'], 'POPCNT is later'),
];
