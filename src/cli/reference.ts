import type { Command } from 'commander';
import { auditCommand } from './commands/audit.js';
import { policyCommand } from './commands/policy.js';
import { EXIT_CODES } from './exit-codes.js';
import { markdownTable, sentence } from './markdown.js';
import { MISSING_QEMU_OPTIONS, argumentText, optionFlags, VERBS, type VerbDeclaration } from './declarations.js';

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

/** A command that was made with commander, and those below it. */
function commandSections(command: Command, path: readonly string[]): string[] {
  const names = [...path, command.name()];
  if (command.commands.length > 0) return command.commands.flatMap((below) => commandSections(below, names));
  const described = command.registeredArguments.map((argument) => {
    const { required: isRequired, variadic } = argument;
    return { name: argument.name(), help: argument.description, optional: !isRequired, variadic };
  });
  const usage = [...names, ...described.map(argumentText), ...(command.options.length ? ['[options]'] : [])];
  const rows = [
    ...described.map((argument) => [`\`${argumentText(argument)}\``, argument.help]),
    ...command.options.map(({ flags, description, argChoices }) => {
      const choices = argChoices === undefined ? '' : `: ${argChoices.map((choice) => `\`${choice}\``).join(', ')}`;
      return [`\`${flags}\``, description + choices];
    }),
  ];
  const head = [`## ${names.join(' ')}`, '', `\`${usage.join(' ')}\``, '', sentence(command.description()), ''];
  return [...head, ...markdownTable(['Option', 'Meaning'], rows), ''];
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
    ...[policyCommand(), auditCommand()].flatMap((command) => commandSections(command, ['reel'])),
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
