import { DEFAULT_POLICY_DOCUMENT } from './default-policy.js';
import { layOutJson } from './json-layout.js';
import type { PolicyDocument, Rule } from './policy-document.js';

const NAME = '^[a-z0-9][a-z0-9._-]{0,63}$';

/** In the place of a hash that only the user knows; no code and no token has it. */
const NO_HASH = '0'.repeat(64);

const OPERATORS: Rule = {
  id: 'operators',
  effect: 'permit',
  principals: [{ host: 'user' }, { host: 'api' }],
  actions: ['*'],
};

const HARNESS: PolicyDocument = {
  version: 1,
  description:
    'A test harness: the guest under test runs the recorder itself, and a runaway test cannot fill the disk.',
  rules: [
    {
      id: 'tests-record',
      effect: 'permit',
      principals: [{ guest: true }],
      actions: ['start', 'stop', 'mark', 'log', 'check', 'put', 'get', 'checkpoint', 'exit', 'status'],
      when: { name: '^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,127}$' },
      limits: {
        maxTicks: 250_000_000_000,
        maxBytes: 2 ** 30,
        maxRecordings: 1000,
        perGigatick: { mark: 100000, log: 100000, checkpoint: 1000 },
      },
    },
    OPERATORS,
  ],
  recordings: { keep: 200, onFailure: 'stop-machine' },
  audit: 'audit.jsonl',
};

const FORENSIC: PolicyDocument = {
  version: 1,
  description: 'Evidence: guest and intrusion detection may start a recording, and no guest can end or flood it.',
  rules: [
    {
      id: 'guest-raises-alarm',
      effect: 'permit',
      principals: [{ guest: true }],
      actions: ['start', 'mark', 'log', 'status'],
      when: { name: NAME },
      limits: {
        maxBytes: 2 ** 34,
        maxRecordings: 20,
        maxConcurrent: 1,
        cooldownTicks: 1_000_000_000,
        maxTextBytes: 4096,
        perGigatick: { start: 1, mark: 1000, log: 1000 },
      },
    },
    { id: 'evidence-stays', effect: 'forbid', principals: [{ guest: true }], actions: ['stop', 'exit'] },
    {
      id: 'guest-leaves-ids-alone',
      effect: 'forbid',
      principals: [{ guest: true }],
      actions: ['start', 'mark', 'log'],
      when: { startedBy: 'host:ids' },
    },
    {
      id: 'ids-triggers',
      effect: 'permit',
      principals: [{ host: 'ids' }],
      actions: ['start', 'mark', 'checkpoint', 'status'],
    },
    { ...OPERATORS, principals: [{ host: 'user' }] },
  ],
  recordings: { onFailure: 'stop-machine' },
  audit: 'audit.jsonl',
};

const LOCKED_DOWN: PolicyDocument = {
  version: 1,
  description: 'Guests may do nothing, and ring 3 does not even find the port. The user records from outside.',
  rules: [{ ...OPERATORS, principals: [{ host: 'user' }] }],
  recordings: { keep: 50, onFailure: 'continue' },
  audit: 'audit.jsonl',
};

const PER_CODE_HASH: PolicyDocument = {
  version: 1,
  description: 'Only a known agent records: put the SHA-256 of its code into the rule agent-records.',
  rules: [
    {
      id: 'agent-records',
      effect: 'permit',
      principals: [{ ring: [0, 3], codeSha256: [NO_HASH] }],
      actions: ['start', 'stop', 'mark', 'log', 'status'],
      when: { name: NAME },
      limits: {
        maxTicks: 50_000_000_000,
        maxBytes: 2 ** 29,
        maxRecordings: 20,
        cooldownTicks: 1_000_000,
        perGigatick: { mark: 10000, log: 10000 },
      },
    },
    {
      id: 'nobody-touches-ids-recordings',
      effect: 'forbid',
      principals: [{ guest: true }],
      actions: ['stop'],
      when: { startedBy: 'host:ids' },
    },
    { ...OPERATORS, principals: [{ host: 'user' }, { host: 'ids' }] },
  ],
  recordings: { keep: 50, onFailure: 'continue' },
  audit: 'audit.jsonl',
};

/** What `reel policy init` can begin with. */
export const POLICY_TEMPLATES = {
  default: DEFAULT_POLICY_DOCUMENT,
  harness: HARNESS,
  forensic: FORENSIC,
  'locked-down': LOCKED_DOWN,
  'per-code-hash': PER_CODE_HASH,
} as const satisfies Record<string, PolicyDocument>;

export type PolicyTemplate = keyof typeof POLICY_TEMPLATES;

export const POLICY_TEMPLATE_NAMES = Object.keys(POLICY_TEMPLATES) as readonly PolicyTemplate[];

/** The template's text; `codeSha256` takes the place of the hash in per-code-hash. */
export function templateText(template: PolicyTemplate, codeSha256 = NO_HASH): string {
  return layOutJson(POLICY_TEMPLATES[template]).replaceAll(NO_HASH, codeSha256);
}
