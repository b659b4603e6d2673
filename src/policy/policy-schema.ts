/** Generated from schemas/policy.schema.json by schemas/generate.ts. */
export const POLICY_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:guestreel:policy:1',
  title: 'PolicyDocument',
  description:
    'What guests and hosts may do with the recorder. Nothing is allowed that no rule permits, and a forbid overrides every permit.',
  type: 'object',
  required: ['version', 'rules'],
  additionalProperties: false,
  properties: {
    $schema: { type: 'string', description: 'Address of this schema, for editors.' },
    version: { const: 1, description: 'Version of the policy format.' },
    description: { type: 'string', description: 'For people.' },
    rules: {
      type: 'array',
      maxItems: 1000,
      items: { $ref: '#/$defs/rule' },
      description: 'The order matters only for which of several applicable rules a decision names: the first.',
    },
    tokens: {
      type: 'object',
      maxProperties: 1000,
      propertyNames: { $ref: '#/$defs/identifier' },
      additionalProperties: { $ref: '#/$defs/sha256' },
      description:
        'Names for tokens that guests may present with AUTH: the SHA-256 of each. A token is a hint; whoever reads guest memory knows it.',
    },
    recordings: {
      type: 'object',
      additionalProperties: false,
      properties: {
        keep: {
          type: 'integer',
          minimum: 1,
          maximum: 1000000,
          description:
            'Finished recordings to keep in the output folder; the oldest go first. All are kept if it is absent.',
        },
        onFailure: {
          enum: ['continue', 'stop-machine'],
          description: 'What happens to the machine when a recording cannot be written any more. Default: continue.',
        },
        maxNameBytes: {
          type: 'integer',
          minimum: 64,
          maximum: 4096,
          description:
            'Longest name or label that is looked at, in bytes of UTF-8. Longer ones are refused before any pattern sees them. Default: 256.',
        },
      },
      description: 'Handling of the recordings themselves.',
    },
    audit: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      description: 'File for the audit log, relative to the output folder. Audit entries are in each recording anyway.',
    },
  },
  $defs: {
    identifier: {
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
      description: "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit.",
    },
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'SHA-256 as 64 lower-case hexadecimal digits.' },
    sha256OneOrMore: {
      type: ['string', 'array'],
      pattern: '^[0-9a-f]{64}$',
      minItems: 1,
      items: { $ref: '#/$defs/sha256' },
      description: 'One SHA-256 or several: 64 lower-case hexadecimal digits each.',
    },
    address: {
      type: ['integer', 'string'],
      minimum: 0,
      maximum: 4294967295,
      pattern: '^0x[0-9A-Fa-f]{1,8}$',
      description: 'A number, or a string such as "0x1000".',
    },
    count: { type: 'integer', minimum: 1, maximum: 9007199254740991 },
    tick: { type: 'integer', minimum: 0, maximum: 9007199254740991 },
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
      description: 'begin, end and verdict are marks; hello and auth need no permission. The last four are for hosts.',
    },
    party: {
      type: 'string',
      pattern: '^(host(:(user|ids|api))?|guest(:ring[0-3])?)$',
      description: 'host, host:user, host:ids, host:api, guest, or guest:ring0 to guest:ring3.',
    },
    rule: {
      type: 'object',
      required: ['id', 'effect', 'principals', 'actions'],
      additionalProperties: false,
      properties: {
        id: { $ref: '#/$defs/identifier' },
        description: { type: 'string', description: 'For people.' },
        effect: { enum: ['permit', 'forbid'] },
        principals: {
          type: 'array',
          minItems: 1,
          maxItems: 1000,
          items: { $ref: '#/$defs/principalPattern' },
          description: 'The rule is for a caller that fits one of these.',
        },
        actions: {
          type: 'array',
          minItems: 1,
          uniqueItems: true,
          items: {
            enum: [
              '*',
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
          description: '"*" stands for all.',
        },
        when: { $ref: '#/$defs/conditions' },
        limits: { $ref: '#/$defs/limits' },
      },
      description: '`id` is unique: decisions and audit entries name it, and counters go by it.',
    },
    conditions: {
      type: 'object',
      minProperties: 1,
      additionalProperties: false,
      properties: {
        name: {
          type: 'string',
          maxLength: 1000,
          description:
            'Regular expression, without look-around and back references, for what the request names: the recording of start and stop, the label of mark, the command of control. Other actions name nothing: a permit with this condition covers them all the same, a forbid does not.',
        },
        test: {
          type: 'string',
          maxLength: 1000,
          description:
            'Regular expression for the test that a verdict is about. Requests other than verdicts do not fit.',
        },
        startedBy: {
          type: ['string', 'array'],
          pattern: '^(host(:(user|ids|api))?|guest(:ring[0-3])?)$',
          minItems: 1,
          items: { $ref: '#/$defs/party' },
          description: 'One or several of host, host:user, host:ids, host:api, guest, guest:ring0 to guest:ring3.',
        },
        recording: { type: 'boolean', description: 'Whether a recording is running.' },
        tick: {
          type: 'object',
          minProperties: 1,
          additionalProperties: false,
          properties: { from: { $ref: '#/$defs/tick' }, to: { $ref: '#/$defs/tick' } },
          description: 'Ticks at which the rule holds, both ends included.',
        },
      },
      description:
        'All must hold. startedBy is who started the recording that is running; it does not hold while none is.',
    },
    limits: {
      type: 'object',
      minProperties: 1,
      additionalProperties: false,
      properties: {
        maxTicks: { $ref: '#/$defs/count', description: 'Ticks after which a recording started under the rule ends.' },
        maxBytes: {
          $ref: '#/$defs/count',
          description:
            'Bytes that may be stored under the rule in the whole run: what callers hand over, and what the recordings started under it grow to, before compression.',
        },
        maxRecordings: {
          $ref: '#/$defs/count',
          description: 'Recordings that may be started under the rule in the whole run.',
        },
        maxConcurrent: {
          $ref: '#/$defs/count',
          description: 'Recordings started under the rule that may run at a time.',
        },
        cooldownTicks: {
          $ref: '#/$defs/count',
          description: 'Ticks between the end of a recording started under the rule and the next start.',
        },
        maxNameBytes: {
          type: 'integer',
          minimum: 1,
          maximum: 4096,
          description: 'Longest name or label, in bytes of UTF-8.',
        },
        maxTextBytes: {
          type: 'integer',
          minimum: 1,
          maximum: 1048576,
          description: 'Most bytes that one request may hand over.',
        },
        perGigatick: {
          type: 'object',
          minProperties: 1,
          propertyNames: { $ref: '#/$defs/action' },
          additionalProperties: { type: 'integer', minimum: 1, maximum: 1000000 },
          description: 'For each action, how often per 1e9 ticks: as many at once, and they come back evenly.',
        },
      },
      description: 'What a permit is limited to, counted for all callers of the rule together.',
    },
    principalPattern: {
      type: 'object',
      minProperties: 1,
      additionalProperties: false,
      properties: {
        host: { enum: [true, 'user', 'ids', 'api'], description: 'A caller on the host; true is any.' },
        guest: { const: true, description: 'Any caller in the guest. Implied by the fields below.' },
        ring: {
          type: ['integer', 'array'],
          minimum: 0,
          maximum: 3,
          minItems: 1,
          items: { type: 'integer', minimum: 0, maximum: 3 },
          description: 'Privilege level of the calling code.',
        },
        cr3: { $ref: '#/$defs/address' },
        eip: {
          type: 'object',
          required: ['from', 'to'],
          additionalProperties: false,
          properties: { from: { $ref: '#/$defs/address' }, to: { $ref: '#/$defs/address' } },
          description: 'Where the IN instruction lies, both ends included.',
        },
        codeSha256: { $ref: '#/$defs/sha256OneOrMore' },
        tokenSha256: { $ref: '#/$defs/sha256OneOrMore' },
        token: { $ref: '#/$defs/identifier' },
      },
      description:
        "All fields of one entry must match. codeSha256 is the hash of the agent's code as it lies in guest memory, tokenSha256 that of the token the guest presented. token is a name from `tokens`, instead of tokenSha256. cr3 is the page directory of the calling process.",
    },
  },
} as const;
