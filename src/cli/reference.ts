import { EXIT_CODES } from './exit-codes.js';
import {
  MISSING_QEMU_OPTIONS,
  VERBS,
  type ArgumentDeclaration,
  type OptionDeclaration,
  type VerbDeclaration,
} from './declarations.js';

/** A Markdown table as prettier lays it out. */
function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const [first, ...others] = cells.map(line);
  return [first!, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...others];
}

/** How commander, and the reference, write an option. */
export function optionFlags({ name, short, argument }: OptionDeclaration): string {
  const long = argument === undefined ? `--${name}` : `--${name} <${argument}>`;
  return short === undefined ? long : `-${short}, ${long}`;
}

export function argumentText({ name, optional, variadic }: ArgumentDeclaration): string {
  const inner = variadic ? `${name}...` : name;
  return optional ? `[${inner}]` : `<${inner}>`;
}

function verbSection(verb: VerbDeclaration): string[] {
  const usage = ['reel', verb.name, ...verb.arguments.map(argumentText), ...(verb.options.length ? ['[options]'] : [])];
  const lines = [`## reel ${verb.name}`, '', `\`${usage.join(' ')}\``, '', `${sentence(verb.summary)}`, ''];
  for (const note of verb.notes ?? []) lines.push(note, '');
  if (verb.jsonSchema !== undefined) lines.push(`JSON output: \`${verb.jsonSchema}\`.`, '');
  const rows = [
    ...verb.arguments.map((argument) => [`\`${argumentText(argument)}\``, argument.help]),
    ...verb.options.map((option) => [`\`${optionFlags(option)}\``, option.help]),
  ];
  if (rows.length > 0) lines.push(...markdownTable(['Option', 'Meaning'], rows), '');
  return lines;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/** The text of docs/cli.md. */
export function cliReference(): string {
  const lines = [
    '# Command line',
    '',
    'Generated from the tables in `src/cli/declarations.ts` and `src/cli/exit-codes.ts`; `npx vitest run',
    'test/cli/reference.test.ts -u` writes it anew.',
    '',
    'Data goes to standard output, messages to standard error; progress is shown on a terminal only. `NO_COLOR` turns colours',
    'off. Long options may be written with one dash, as QEMU does. `REEL_DEBUG=1` adds the stack to the report of a bug.',
    '',
    ...VERBS.flatMap(verbSection),
    '## Exit codes',
    '',
    ...markdownTable(
      ['Code', 'Name', 'Meaning'],
      Object.entries(EXIT_CODES).map(([name, { code, doc }]) => [String(code), name, doc]),
    ),
    '',
    '`reel run` and `reel replay --live` pass on the lower seven bits of the code that the guest ends the machine with.',
    '',
    "## QEMU's options that do not exist here",
    '',
    ...markdownTable(
      ['Option', 'Why'],
      Object.entries(MISSING_QEMU_OPTIONS).map(([name, why]) => [`\`-${name}\``, why]),
    ),
    '',
  ];
  return lines.join('\n');
}
