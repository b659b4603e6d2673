import { defaultPolicy } from '../policy/default-policy.js';
import { Policy } from '../policy/policy.js';
import type { HostServices } from './services.js';

/** Where a policy comes from: a file's path, a policy, or nothing for the default. */
export type PolicySource = string | Policy | undefined;

/** Throws HOST_IO or CONFIG. */
export function resolvePolicy(source: PolicySource, services: HostServices): Policy {
  if (source === undefined) return defaultPolicy();
  if (typeof source !== 'string') return source;
  return Policy.parse(services.readText(source), source);
}
