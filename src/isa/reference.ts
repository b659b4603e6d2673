import type { Instruction, InstructionOptions } from './instruction.js';
import type { UndefinedOpcode } from './undefined-opcodes.js';

/** What the options mean to a reader. */
function notes(o: InstructionOptions): string {
  const unit = { x87: 'x87', wait: 'x87', mmx: 'MMX', sse: 'SSE' } as const;
  return [
    o.lock ? 'LOCK' : '',
    o.string === 'plain' ? 'REP' : '',
    o.string === 'compare' ? 'REPE, REPNE' : '',
    o.privileged ? 'CPL 0' : '',
    o.protectedOnly ? 'protected mode' : '',
    o.unit ? `unit ${unit[o.unit]}` : '',
    o.feature ? `CPUID ${o.feature}` : '',
  ]
    .filter((note) => note !== '')
    .join('; ');
}

const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

/** A Markdown table with aligned columns. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The text of docs/instructions.md. */
export function instructionReference(
  instructions: readonly Instruction[],
  undefinedOpcodes: readonly UndefinedOpcode[],
): string {
  const rows = [...instructions]
    .sort((a, b) => byText(a.mnemonic, b.mnemonic) || byText(a.pattern, b.pattern))
    .map((i) => [i.mnemonic, code(i.pattern), code(i.operands), notes(i.options)]);
  const undefinedRows = undefinedOpcodes.map((u) => [code(u.pattern), u.form ?? 'any', u.reason]);
  return `# Instructions

Generated from the instruction table (\`src/isa/table.ts\`); \`npx vitest run test/conformance/isa/reference.test.ts -u\`
writes it anew. The notation is that of the Intel SDM and is explained in \`src/isa/instruction.ts\`. There are
${instructions.length} entries. Forms with \`v\` or \`z\` operands exist for 16 and 32 bits.

Notes: LOCK, REP: prefixes that the instruction takes. CPL 0: #GP(0) in less privileged code. Protected mode: #UD in real
and virtual-8086 mode. CPUID: present when that feature is on.

${table(['Instruction', 'Encoding', 'Operands', 'Notes'], rows)}

## Undefined encodings

These raise #UD. Encodings that are reserved within the x87, MMX and SSE opcodes do so too and are not listed.

${table(['Encoding', 'Operand form', 'Why'], undefinedRows)}
`;
}
