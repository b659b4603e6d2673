import { Command, InvalidArgumentError } from 'commander';
import { CodedError } from '../../base/errors.js';
import { createHashing } from '../../host/hashing.js';
import { readTextFile } from '../../host/text-file.js';
import { verifyAudit } from '../../policy/audit.js';
import { printable } from '../output.js';
import type { WriteText } from './policy.js';

interface VerifyOptions {
  readonly json?: boolean;
  readonly lastHash?: string;
}

/** `reel audit verify`: throws DAMAGED with the first broken line. `--json`: schemas/cli-audit-verify.schema.json. */
export function verifyAuditFile(file: string, options: VerifyOptions, write: WriteText): void {
  const lines = readTextFile(file).split('\n');
  // What follows the last line's end.
  if (lines.at(-1) === '') lines.pop();
  const verdict = verifyAudit(lines, createHashing(), options.lastHash);
  if (options.json === true) write(`${JSON.stringify({ file, ...verdict }, null, 2)}\n`);
  if (!verdict.ok) {
    const where = `${file}:${verdict.line}`;
    throw new CodedError('DAMAGED', `the audit log is broken here: ${verdict.reason}`, {
      where,
      hint: `the ${verdict.entries} entries before it are intact`,
    });
  }
  if (options.json === true) return;
  const { entries, runs, lastHash } = verdict;
  write(`${printable(file)}: intact; entries: ${entries}, runs: ${runs}, last hash: ${lastHash}\n`);
}

function hashArgument(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('A hash is 64 lower-case hexadecimal digits.');
}

/** `reel audit` with its sub-command. Handlers throw CodedError; the caller makes exit codes of those. */
export function auditCommand(write: WriteText = (text) => void process.stdout.write(text)): Command {
  const audit = new Command('audit').description('check audit logs');
  audit
    .command('verify')
    .description('check the hash chain of an audit log')
    .argument('<file>', 'an audit log, JSON Lines')
    .option('--last-hash <hash>', 'hash that the last entry must have: shows whether the end was cut off', hashArgument)
    .option('--json', 'write JSON for programs')
    .action((file: string, options: VerifyOptions) => verifyAuditFile(file, options, write));
  return audit;
}
