/** Generated from schemas/policy.schema.json by schemas/generate.ts. */

/**
 * 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit.
 */
export type Identifier = string;
/**
 * A number, or a string such as "0x1000".
 */
export type Address = number | string;
/**
 * One SHA-256 or several: 64 lower-case hexadecimal digits each.
 *
 * @minItems 1
 */
export type Sha256OneOrMore = string | Sha256[];
/**
 * SHA-256 as 64 lower-case hexadecimal digits.
 */
export type Sha256 = string;
/**
 * host, host:user, host:ids, host:api, guest, or guest:ring0 to guest:ring3.
 */
export type Party = string;
export type Tick = number;

/**
 * What guests and hosts may do with the recorder. Nothing is allowed that no rule permits, and a forbid overrides every permit.
 */
export interface PolicyDocument {
  /**
   * Address of this schema, for editors.
   */
  $schema?: string;
  /**
   * Version of the policy format.
   */
  version: 1;
  /**
   * For people.
   */
  description?: string;
  /**
   * The order matters only for which of several applicable rules a decision names: the first.
   *
   * @maxItems 1000
   */
  rules: Rule[];
  /**
   * Names for tokens that guests may present with AUTH: the SHA-256 of each. A token is a hint; whoever reads guest memory knows it.
   */
  tokens?: {
    [k: string]: Sha256;
  };
  /**
   * Handling of the recordings themselves.
   */
  recordings?: {
    /**
     * Finished recordings to keep in the output folder; the oldest go first. All are kept if it is absent.
     */
    keep?: number;
    /**
     * What happens to the machine when a recording cannot be written any more. Default: continue.
     */
    onFailure?: 'continue' | 'stop-machine';
    /**
     * Longest name or label that is looked at, in bytes of UTF-8. Longer ones are refused before any pattern sees them. Default: 256.
     */
    maxNameBytes?: number;
  };
  /**
   * File for the audit log, relative to the output folder. Audit entries are in each recording anyway.
   */
  audit?: string;
}
/**
 * `id` is unique: decisions and audit entries name it, and counters go by it.
 */
export interface Rule {
  id: Identifier;
  /**
   * For people.
   */
  description?: string;
  effect: 'permit' | 'forbid';
  /**
   * The rule is for a caller that fits one of these.
   *
   * @minItems 1
   * @maxItems 1000
   */
  principals: PrincipalPattern[];
  /**
   * "*" stands for all.
   *
   * @minItems 1
   */
  actions: (
    | '*'
    | 'start'
    | 'stop'
    | 'mark'
    | 'log'
    | 'check'
    | 'put'
    | 'get'
    | 'checkpoint'
    | 'exit'
    | 'status'
    | 'replay'
    | 'goLive'
    | 'export'
    | 'control'
  )[];
  when?: Conditions;
  limits?: Limits;
}
/**
 * All fields of one entry must match. codeSha256 is the hash of the agent's code as it lies in guest memory, tokenSha256 that of the token the guest presented. token is a name from `tokens`, instead of tokenSha256. cr3 is the page directory of the calling process.
 */
export interface PrincipalPattern {
  /**
   * A caller on the host; true is any.
   */
  host?: true | 'user' | 'ids' | 'api';
  /**
   * Any caller in the guest. Implied by the fields below.
   */
  guest?: true;
  /**
   * Privilege level of the calling code.
   *
   * @minItems 1
   */
  ring?: number | number[];
  cr3?: Address;
  /**
   * Where the IN instruction lies, both ends included.
   */
  eip?: {
    from: Address;
    to: Address;
  };
  codeSha256?: Sha256OneOrMore;
  tokenSha256?: Sha256OneOrMore;
  token?: Identifier;
}
/**
 * All must hold. startedBy is who started the recording that is running; it does not hold while none is.
 */
export interface Conditions {
  /**
   * Regular expression, without look-around and back references, for what the request names: the recording of start and stop, the label of mark, the command of control. Other actions name nothing: a permit with this condition covers them all the same, a forbid does not.
   */
  name?: string;
  /**
   * Regular expression for the test that a verdict is about. Requests other than verdicts do not fit.
   */
  test?: string;
  /**
   * One or several of host, host:user, host:ids, host:api, guest, guest:ring0 to guest:ring3.
   *
   * @minItems 1
   */
  startedBy?: string | Party[];
  /**
   * Whether a recording is running.
   */
  recording?: boolean;
  /**
   * Ticks at which the rule holds, both ends included.
   */
  tick?: {
    from?: Tick;
    to?: Tick;
  };
}
/**
 * What a permit is limited to, counted for all callers of the rule together.
 */
export interface Limits {
  /**
   * Ticks after which a recording started under the rule ends.
   */
  maxTicks?: number;
  /**
   * Bytes that may be stored under the rule in the whole run: what callers hand over, and what the recordings started under it grow to, before compression.
   */
  maxBytes?: number;
  /**
   * Recordings that may be started under the rule in the whole run.
   */
  maxRecordings?: number;
  /**
   * Recordings started under the rule that may run at a time.
   */
  maxConcurrent?: number;
  /**
   * Ticks between the end of a recording started under the rule and the next start.
   */
  cooldownTicks?: number;
  /**
   * Longest name or label, in bytes of UTF-8.
   */
  maxNameBytes?: number;
  /**
   * Most bytes that one request may hand over.
   */
  maxTextBytes?: number;
  /**
   * For each action, how often per 1e9 ticks: as many at once, and they come back evenly.
   */
  perGigatick?: {
    [k: string]: number;
  };
}
