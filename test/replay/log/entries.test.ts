import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { MAX_SCHEMA_BYTES } from '../../../src/log/channels.js';
import {
  decodeEntry,
  encodeEntry,
  ENTRY_KINDS,
  isLogKind,
  parseTopic,
  shortHash,
  topicOfEntry,
  type EntryName,
  type KindName,
  type LogEntry,
} from '../../../src/log/entries.js';
import { MARK_TYPES } from '../../../src/log/meta.js';
import { hashing, SAMPLE_META } from './sample.js';

const tick = fc.maxSafeNat();
const u32 = fc.nat(0xffff_ffff);
const bytes = fc.uint8Array({ maxLength: 300 });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const suffixes = (kind: KindName) => fc.constantFrom(...Object.keys(ENTRY_KINDS[kind].suffix as object));
const name = fc.string({ minLength: 1, maxLength: 20 });
/** JSON has no minus zero. */
const record = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)) as object);

const entry = fc.oneof(
  fc.record({ entry: fc.constant('input'), tick, kind: suffixes('input'), payload: bytes }),
  fc.record({ entry: fc.constant('ask'), tick, kind: suffixes('ask'), request: bytes, answer: bytes }),
  fc.record({ entry: fc.constant('block'), tick, image: name, offset: tick, bytes }),
  fc.record(
    {
      entry: fc.constant('mark'),
      tick,
      type: fc.constantFrom(...MARK_TYPES),
      label: fc.string(),
      value: u32,
      by: fc.string(),
      phaseId: u32,
    },
    { requiredKeys: ['entry', 'tick', 'type', 'label', 'value', 'by'] },
  ),
  fc.record({ entry: fc.constant('audit'), tick, record }),
  fc.record({
    entry: fc.constant('digest'),
    tick,
    cpuDevices: hash,
    ram: hash,
    pages: u32,
    sections: fc.array(fc.record({ name: fc.string(), hash: u32 })),
  }),
  fc.record({ entry: fc.constant('output'), tick, kind: suffixes('output'), channel: fc.nat(255), bytes }),
  fc.record(
    { entry: fc.constant('end'), tick, reason: fc.string(), by: fc.string() },
    { requiredKeys: ['entry', 'tick', 'reason'] },
  ),
) as fc.Arbitrary<LogEntry>;

function roundTrip(value: LogEntry): LogEntry {
  const topic = parseTopic(topicOfEntry(value))!;
  return decodeEntry(topic.kind as EntryName, topic.suffix, value.tick, encodeEntry(value), 'here');
}

/** Without prototypes: fast-check makes dictionaries that have none. */
const plain = (value: LogEntry): LogEntry =>
  value.entry === 'audit'
    ? { ...value, record: JSON.parse(JSON.stringify(value.record)) as Record<string, unknown> }
    : value;

describe('an entry', () => {
  it('of any kind comes back as it was', () => {
    fc.assert(
      fc.property(entry, (value) => {
        expect(roundTrip(value)).toEqual(plain(value));
      }),
      { numRuns: 2000 },
    );
  });

  it('never decodes from random bytes into anything but an entry or a DAMAGED error', () => {
    const kinds = (Object.keys(ENTRY_KINDS) as KindName[]).filter(isLogKind);
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 200 }), (kind, data) => {
        try {
          expect(decodeEntry(kind, 'serial', 5, data, 'here')).toMatchObject({ entry: kind, tick: 5 });
        } catch (error) {
          if (!(error instanceof CodedError)) throw error;
          expect(error).toMatchObject({ code: 'DAMAGED' });
          expect(error.where).toMatch(/^here/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('cannot change its own kind or tick by what its JSON says', () => {
    const json = new TextEncoder().encode('{"reason":"stop","tick":9,"entry":"mark","__proto__":{"by":"x"}}');
    const decoded = decodeEntry('end', '', 5, json, 'here');
    expect(decoded).toMatchObject({ entry: 'end', tick: 5 });
    expect((decoded as { by?: string }).by).toBeUndefined();
  });

  it('cannot make a list out of a lying count', () => {
    const payload = new Uint8Array(32 + 32 + 4 + 4).fill(0xff);
    expect(() => decodeEntry('digest', '', 0, payload, 'here')).toThrow(expect.objectContaining({ code: 'DAMAGED' }));
  });

  it.each([
    ['mark', { type: 'shout', label: '', value: 0, by: '' }, /value\.type is not one of mark, begin/],
    ['mark', { type: 'mark', label: '', value: -1, by: '' }, /value\.value is not a whole number/],
    ['mark', { type: 'mark', label: '', value: 1.5, by: '' }, /value\.value is not a whole number/],
    ['mark', { type: 'mark', label: '', value: 1, by: '', phaseId: null }, /value\.phaseId is not/],
    ['end', [], /value is not an object/],
    ['end', {}, /value\.reason is not a string/],
    ['audit', 'text', /value is not an object/],
  ] as const)('with a wrong field says which: %s %j', (kind, value, message) => {
    const data = new TextEncoder().encode(JSON.stringify(value));
    expect(() => decodeEntry(kind, '', 0, data, 'here')).toThrow(message);
  });
});

describe('the meta entry', () => {
  const { payload } = ENTRY_KINDS.meta;
  const meta = { ...SAMPLE_META, formatVersion: 1 };
  const decode = (change: object) =>
    payload.decode(new TextEncoder().encode(JSON.stringify({ ...meta, ...change })), 'meta');
  it('comes back as it was', () => {
    expect(payload.decode(payload.encode(meta), 'meta')).toEqual(meta);
  });
  it('is checked field by field', () => {
    expect(() => decode({ nsPerTick: 0 })).toThrow(/value\.nsPerTick is not a whole number from 1/);
    expect(() => decode({ policySha256: 'x' })).toThrow(/value\.policySha256 is not a SHA-256/);
    expect(() => decode({ images: [{ role: 'hda' }] })).toThrow(/value\.images\[0\]\.name is not a string/);
    expect(() => decode({ machine: [] })).toThrow(/value\.machine is not an object/);
    expect(() => decode({ parent: { recordingId: 'x' } })).toThrow(/value\.parent\.tick is not/);
  });
});

describe('the table of entries', () => {
  it('gives every topic back to its kind, and no other text', () => {
    for (const kind of Object.keys(ENTRY_KINDS) as KindName[]) {
      const { suffix } = ENTRY_KINDS[kind];
      const stem = kind.replace('-block', '');
      if (suffix === null) expect(parseTopic(kind)).toEqual({ kind, suffix: '' });
      else if (suffix === 'name') expect(parseTopic(`${stem}/a/b`)).toEqual({ kind, suffix: 'a/b' });
      else
        for (const name of Object.keys(suffix)) expect(parseTopic(`${kind}/${name}`)).toEqual({ kind, suffix: name });
    }
    for (const topic of [
      '',
      'x',
      'input',
      'input/',
      'input/none',
      'input/toString',
      'mark/x',
      'snapshot/',
      'snapshot-block',
    ]) {
      expect(parseTopic(topic)).toBeUndefined();
    }
    expect(parseTopic(`snapshot/${'x'.repeat(201)}`)).toBeUndefined();
  });

  it('has schemas that fit into what chunks leave room for', () => {
    for (const { payload } of Object.values(ENTRY_KINDS)) {
      expect(payload.schemaText.length).toBeLessThanOrEqual(MAX_SCHEMA_BYTES);
    }
  });
});

it('a section’s hash is the beginning of its SHA-256', () => {
  expect(shortHash(hashing.sha256(new TextEncoder().encode('abc')))).toBe(0xbf1678ba);
});
