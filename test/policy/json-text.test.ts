import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { JsonText } from '../../src/policy/json-text.js';

function errorOf(text: string): CodedError {
  try {
    new JsonText(text, 'f.json');
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('JSON text', () => {
  it('accepts exactly what JSON.parse accepts, apart from repeated fields', () => {
    const noise = fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0041e-+.1 \n\ttrufalsn'), maxLength: 16 });
    const json = fc.json();
    const cut = fc.tuple(json, fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, patch]) => {
      const offset = at % (text.length + 1);
      return text.slice(0, offset) + patch + text.slice(offset + 1);
    });
    fc.assert(
      fc.property(fc.oneof(noise, json, cut), (text) => {
        let expected: { value: unknown } | null = null;
        try {
          expected = { value: JSON.parse(text) as unknown };
        } catch {
          // Not JSON.
        }
        let found: { value: unknown } | null = null;
        try {
          found = { value: new JsonText(text, 'f').value };
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
          if (/occurs twice/.test((error as CodedError).message)) return;
        }
        expect(found).toEqual(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('knows line and column of values and keys', () => {
    const json = new JsonText('{\n  "a/b": [1,\r\n    {"~": true}]\n}', 'f.json');
    expect(json.where(json.offset('/a~1b/0'))).toBe('f.json:2:11');
    expect(json.where(json.offset('/a~1b/1/~0'))).toBe('f.json:3:11');
    expect(json.where(json.keyOffset('/a~1b/1/~0'))).toBe('f.json:3:6');
    expect(json.where(json.offset(''))).toBe('f.json:1:1');
  });

  it.each([
    ['', 'f.json:1:1', 'a value is expected, found the end'],
    ['{"a": 1,}', 'f.json:1:9', 'a field name in double quotes is expected, found "}"'],
    ['[1 2]', 'f.json:1:4', '"," or "]" is expected, found "2"'],
    ['{\n"a": .5}', 'f.json:2:6', 'a value is expected, found "."'],
    ['["\n"]', 'f.json:1:3', 'a string cannot hold control characters'],
    ['["\\q"]', 'f.json:1:3', 'there is no such escape'],
    ['1 // x', 'f.json:1:3', 'nothing may follow the value, found "/"'],
  ])('says where %j is not JSON', (text, where, message) => {
    const error = errorOf(text);
    expect(error.code).toBe('CONFIG');
    expect(error.where).toBe(where);
    expect(error.message).toContain(message);
  });

  it('refuses a field that occurs twice, however it is spelled', () => {
    const error = errorOf('{"effect": "forbid",\n "eff\\u0065ct": "permit"}');
    expect(error.where).toBe('f.json:2:2');
    expect(error.message).toBe('the field "effect" occurs twice');
  });

  it('refuses nesting that would exhaust the stack', () => {
    expect(errorOf('['.repeat(100_000)).message).toContain('nested too deep');
  });

  it('accepts a byte order mark', () => {
    expect(new JsonText('\ufeff{"a": 1}', 'f').value).toEqual({ a: 1 });
  });
});
