import { layOutJson } from './json-layout.js';
import { Policy } from './policy.js';
import type { PolicyDocument } from './policy-document.js';

const NAME = '^[a-z0-9][a-z0-9._-]{0,63}$';

/** In force where no policy is given: guests may record within limits, and only the kernel may hand over more. */
export const DEFAULT_POLICY_DOCUMENT: PolicyDocument = {
  version: 1,
  description: 'Guests may record within limits. Only ring 0 may exchange bytes with the host or end the machine.',
  rules: [
    {
      id: 'guest-records',
      effect: 'permit',
      principals: [{ guest: true }],
      actions: ['start', 'stop', 'mark', 'log', 'check', 'checkpoint', 'status'],
      when: { name: NAME },
      limits: {
        maxTicks: 1e12,
        maxBytes: 2 ** 30,
        maxRecordings: 100,
        maxConcurrent: 1,
        maxTextBytes: 65536,
        perGigatick: { start: 100, mark: 10000, log: 10000, check: 10000, checkpoint: 100 },
      },
    },
    {
      id: 'kernel-exchanges',
      effect: 'permit',
      principals: [{ ring: 0 }],
      actions: ['put', 'get', 'exit'],
      limits: { maxBytes: 2 ** 28, maxTextBytes: 65536, perGigatick: { put: 10000, get: 10000 } },
    },
    {
      id: 'ids-triggers',
      effect: 'permit',
      principals: [{ host: 'ids' }],
      actions: ['start', 'stop', 'mark', 'checkpoint', 'status'],
    },
    { id: 'operators', effect: 'permit', principals: [{ host: 'user' }, { host: 'api' }], actions: ['*'] },
  ],
  recordings: { onFailure: 'continue' },
};

export const DEFAULT_POLICY_TEXT = layOutJson(DEFAULT_POLICY_DOCUMENT);

export function defaultPolicy(): Policy {
  return Policy.unchecked(DEFAULT_POLICY_DOCUMENT, DEFAULT_POLICY_TEXT, 'default policy');
}
