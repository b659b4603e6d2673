/** Generated from schemas/policy-table.schema.json by schemas/generate.ts. */

/**
 * Decisions that a policy is expected to make, for `reel policy test`.
 */
export interface PolicyTable {
  /**
   * Address of this schema, for editors.
   */
  $schema?: string;
  /**
   * True: one run, each case sees the counters that the cases before it left, and an allowed start or stop starts or stops a recording. False, the default: each case is the first request of a run.
   */
  sequence?: boolean;
  /**
   * @minItems 1
   * @maxItems 100000
   */
  cases: PolicyTableCase[];
}
export interface PolicyTableCase {
  /**
   * As for `reel policy explain --principal`: host:user, guest:ring3, guest:ring3,code=SHA256,token=SHA256,cr3=0x1000,eip=0x8000.
   */
  principal: string;
  action:
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
    | 'control';
  /**
   * Recording or label.
   */
  name?: string;
  /**
   * Test of a verdict.
   */
  test?: string;
  /**
   * Who started the recording that is running, e.g. host:ids; absent if none is.
   */
  startedBy?: string;
  tick?: number;
  /**
   * Bytes handed over.
   */
  bytes?: number;
  /**
   * Asks as often; the last answer counts. Default: 1.
   */
  times?: number;
  /**
   * `deny` is any refusal.
   */
  expect: 'allow' | 'deny' | 'OK' | 'DENIED' | 'RATE' | 'QUOTA' | 'TOO_LONG';
  /**
   * The rule that must decide.
   */
  rule?: string;
}
