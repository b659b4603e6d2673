/** Generated from schemas/policy-table.schema.json by schemas/generate.ts. */
export const POLICY_TABLE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:guestreel:policy-table:1',
  title: 'PolicyTable',
  description: 'Decisions that a policy is expected to make, for `reel policy test`.',
  type: 'object',
  required: ['cases'],
  additionalProperties: false,
  properties: {
    $schema: { type: 'string', description: 'Address of this schema, for editors.' },
    sequence: {
      type: 'boolean',
      description:
        'True: one run, each case sees the counters that the cases before it left, and an allowed start or stop starts or stops a recording. False, the default: each case is the first request of a run.',
    },
    cases: {
      type: 'array',
      minItems: 1,
      maxItems: 100000,
      items: {
        type: 'object',
        title: 'PolicyTableCase',
        required: ['principal', 'action', 'expect'],
        additionalProperties: false,
        properties: {
          principal: {
            type: 'string',
            description:
              'As for `reel policy explain --principal`: host:user, guest:ring3, guest:ring3,code=SHA256,token=SHA256,cr3=0x1000,eip=0x8000.',
          },
          action: {
            enum: [
              'start',
              'stop',
              'mark',
              'log',
              'check',
              'put',
              'get',
              'checkpoint',
              'exit',
              'status',
              'replay',
              'goLive',
              'export',
              'control',
            ],
          },
          name: { type: 'string', description: 'Recording or label.' },
          test: { type: 'string', description: 'Test of a verdict.' },
          startedBy: {
            type: 'string',
            description: 'Who started the recording that is running, e.g. host:ids; absent if none is.',
          },
          tick: { type: 'integer', minimum: 0, maximum: 9007199254740991 },
          bytes: { type: 'integer', minimum: 0, maximum: 9007199254740991, description: 'Bytes handed over.' },
          times: {
            type: 'integer',
            minimum: 1,
            maximum: 1000000,
            description: 'Asks as often; the last answer counts. Default: 1.',
          },
          expect: {
            enum: ['allow', 'deny', 'OK', 'DENIED', 'RATE', 'QUOTA', 'TOO_LONG'],
            description: '`deny` is any refusal.',
          },
          rule: { type: 'string', description: 'The rule that must decide.' },
        },
      },
    },
  },
} as const;
