import { Command, InvalidArgumentError, Option } from 'commander';
import { CodedError } from '../../base/errors.js';
import { createHashing } from '../../host/hashing.js';
import { OutputFile } from '../../host/output-file.js';
import { readTextFile } from '../../host/text-file.js';
import { ACTION_NAMES, type Action } from '../../policy/actions.js';
import { PolicyCounters } from '../../policy/counters.js';
import { explain, type PolicyRequest } from '../../policy/decision.js';
import { DEFAULT_POLICY_TEXT } from '../../policy/default-policy.js';
import { Policy } from '../../policy/policy.js';
import { runPolicyTable } from '../../policy/policy-table.js';
import { parsePrincipal, PRINCIPAL_FORM, type Principal } from '../../policy/principal.js';
import { POLICY_TEMPLATE_NAMES, templateText, type PolicyTemplate } from '../../policy/templates.js';
import { printable, table } from '../output.js';

/** Where a command's data goes: standard output. */
export type WriteText = (text: string) => void;

const toStdout: WriteText = (text) => void process.stdout.write(text);

/** Stands for the built-in policy in the place of a file. */
const DEFAULT = 'default';

function readPolicy(file: string): Policy {
  return file === DEFAULT ? Policy.parse(DEFAULT_POLICY_TEXT, DEFAULT) : Policy.parse(readTextFile(file), file);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

interface JsonOption {
  readonly json?: boolean;
}

/** `reel policy check`: throws CONFIG if the file is not a policy. `--json`: schemas/cli-policy-check.schema.json. */
export function checkPolicy(file: string, options: JsonOption, write: WriteText): void {
  const policy = readPolicy(file);
  const found = {
    file,
    rules: policy.rules.length,
    permits: policy.permits.length,
    forbids: policy.forbids.length,
    sha256: policy.digest(createHashing()),
  };
  if (options.json === true) return write(json(found));
  const counts = `${found.rules} rules, of which ${found.permits} permit and ${found.forbids} forbid`;
  write(`${printable(file)}: valid; ${counts}; SHA-256 ${found.sha256}\n`);
}

interface ExplainOptions extends JsonOption {
  readonly principal: Principal;
  readonly action: Action;
  readonly name?: string;
  readonly test?: string;
  readonly startedBy?: string;
  readonly tick?: number;
  readonly bytes?: number;
}

/** `reel policy explain`: decides as for the first request of a run. `--json`: schemas/cli-policy-explain.schema.json. */
export function explainPolicy(file: string, options: ExplainOptions, write: WriteText): void {
  const { principal, action, name, test, startedBy, tick = 0, bytes } = options;
  const request: PolicyRequest = { principal, action, tick, name, test, startedBy, bytes };
  const { decision, steps } = explain(readPolicy(file), request, new PolicyCounters());
  const { allow, status, ruleId, reason, grant } = decision;
  if (options.json === true) return write(json({ allow, status, ruleId, reason, grant, steps }));
  write(`${allow ? 'allow' : `deny (${status})`}, decided by ${ruleId}: ${printable(reason)}\n`);
  const rows = steps.map((step) => ['  ' + step.effect, step.ruleId, step.note]);
  for (const line of table(rows)) write(`${printable(line)}\n`);
}

/**
 * `reel policy test`: writes each case that is decided otherwise than the table expects, and throws CONFIG if there is
 * one: the policy is valid JSON but not the policy that was meant. `--json`: schemas/cli-policy-test.schema.json.
 */
export function testPolicy(file: string, tableFile: string, options: JsonOption, write: WriteText): void {
  const { cases, failures } = runPolicyTable(readPolicy(file), readTextFile(tableFile), tableFile);
  if (options.json === true) write(json({ cases, failures }));
  else {
    for (const { where, principal, action, expected, got, reason } of failures) {
      write(printable(`${where}: ${principal} ${action}: expected ${expected}, got ${got}: ${reason}`) + '\n');
    }
    write(`${cases - failures.length} of ${cases} cases are decided as expected\n`);
  }
  if (failures.length === 0) return;
  const message = `the policy decides ${failures.length} of ${cases} cases otherwise than ${tableFile} expects`;
  throw new CodedError('CONFIG', message, { where: file, hint: 'reel policy explain says why' });
}

interface InitOptions {
  readonly template: PolicyTemplate;
  readonly code?: string;
  readonly output?: string;
}

/** `reel policy init`: a policy to begin with. An existing file is not overwritten: HOST_IO. */
export function initPolicy(options: InitOptions, write: WriteText): void {
  const text = templateText(options.template, options.code);
  if (options.output === undefined) return write(text);
  const file = new OutputFile(options.output, 'new');
  file.write(text);
  file.close();
}

function principalArgument(text: string): Principal {
  const principal = parsePrincipal(text);
  if (principal === null) throw new InvalidArgumentError(`Possible are ${PRINCIPAL_FORM}.`);
  return principal;
}

/** Whole numbers, also as `50e9`. */
function countArgument(text: string): number {
  const value = /^[0-9]+(e[0-9]{1,2})?$/i.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('A whole number is expected.');
  return value;
}

function partyArgument(text: string): string {
  if (/^(host:(user|ids|api)|guest:ring[0-3])$/.test(text)) return text;
  throw new InvalidArgumentError('Possible are host:user, host:ids, host:api, guest:ring0 to guest:ring3.');
}

function hashArgument(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('A SHA-256 is 64 lower-case hexadecimal digits.');
}

const FILE_HELP = 'a policy, or `default` for the built-in one';
const JSON_HELP = 'write JSON for programs';

/** `reel policy` with its sub-commands. Handlers throw CodedError; the caller makes exit codes of those. */
export function policyCommand(write: WriteText = toStdout): Command {
  const policy = new Command('policy').description('check, explain, test and begin policies');
  policy
    .command('check')
    .description('say whether a policy is valid, or where it is not')
    .argument('<file>', FILE_HELP)
    .option('--json', JSON_HELP)
    .action((file: string, options: JsonOption) => checkPolicy(file, options, write));
  policy
    .command('explain')
    .description('say which rule decides a request, and why')
    .argument('<file>', FILE_HELP)
    .requiredOption('--principal <who>', `who asks: ${PRINCIPAL_FORM}`, principalArgument)
    .addOption(new Option('--action <action>', 'what is asked for').choices(ACTION_NAMES).makeOptionMandatory())
    .option('--name <name>', 'name of the recording, or label of the mark')
    .option('--test <test>', 'the test that a verdict is about')
    .option('--started-by <who>', 'who started the recording that is running; without it none is', partyArgument)
    .option('--tick <n>', 'when (default: 0)', countArgument)
    .option('--bytes <n>', 'bytes handed over besides the name (default: 0)', countArgument)
    .option('--json', JSON_HELP)
    .action((file: string, options: ExplainOptions) => explainPolicy(file, options, write));
  policy
    .command('test')
    .description('compare what a policy decides with a table of expected decisions')
    .argument('<file>', FILE_HELP)
    .argument('<table>', 'the table: schemas/policy-table.schema.json')
    .option('--json', JSON_HELP)
    .action((file: string, tableFile: string, options: JsonOption) => testPolicy(file, tableFile, options, write));
  policy
    .command('init')
    .description('write a policy to begin with')
    .addOption(new Option('--template <name>', 'which').choices(POLICY_TEMPLATE_NAMES).default('default'))
    .option('--code <sha256>', 'hash of the agent, for per-code-hash', hashArgument)
    .option('-o, --output <file>', 'write to this file, which must not exist (default: standard output)')
    .action((options: InitOptions) => initPolicy(options, write));
  return policy;
}
