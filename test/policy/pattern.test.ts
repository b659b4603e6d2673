import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { Pattern, utf8Length } from '../../src/policy/pattern.js';

const character = fc.constantFrom('a', 'b', 'c', '-', '_', '0', '9', ' ', '\n', 'é', '\u{1f600}', '.', ']', '\u2028');
const text = fc.string({ unit: character, maxLength: 12 });

const literal = fc.constantFrom(
  'a',
  'b',
  'c',
  '0',
  '9',
  'é',
  '\u{1f600}',
  '\\.',
  '\\-'.slice(1),
  '\\n',
  '\\x61',
  '\\u{62}',
  '\\u0063',
);
const set = fc.constantFrom(
  '.',
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '[a-c]',
  '[^a-c]',
  '[\\d_-]',
  '[]',
  '[^]',
  '[\\]\\-a]',
  '[-a]',
  '[^\\n\\W]',
  '[\u{1f600}]',
);
const pattern = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    literal,
    set,
    fc.constantFrom('^', '$', ''),
    fc.array(tie('node'), { maxLength: 4 }).map((parts) => parts.join('')),
    fc.array(tie('node'), { minLength: 2, maxLength: 3 }).map((parts) => `(?:${parts.join('|')})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?', '{0}'))
      .map(([node, quantifier]) => `(${node})${quantifier}`),
  ),
})).node;

describe('a pattern', () => {
  it('matches exactly what a RegExp with flag u matches', () => {
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        expect(new Pattern(source).test(subject)).toBe(new RegExp(source, 'u').test(subject));
      }),
      { numRuns: 5000 },
    );
  });

  it('refuses whatever a RegExp refuses, and never crashes', () => {
    const noise = fc.string({ unit: fc.constantFrom(...'ab09-^$.*+?()[]{}|\\/,:=!<du'), maxLength: 10 });
    fc.assert(
      fc.property(noise, (source) => {
        let compiled: Pattern;
        try {
          compiled = new Pattern(source);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
          expect((error as CodedError).message).toMatch(/at character \d+$|too large$/);
          return;
        }
        const regular = new RegExp(source, 'u');
        for (const subject of ['', 'a', 'ab09', '-^$', 'bbb'])
          expect(compiled.test(subject)).toBe(regular.test(subject));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['^([a-z]+-?)+$', `${'a'.repeat(4095)}!`],
    ['^(a|a)*$', `${'a'.repeat(4095)}!`],
    ['(a*)*(a*)*b', 'a'.repeat(4096)],
    ['^(\\w+\\s?){1,20}$', `${'a'.repeat(4095)}!`],
  ])('answers at once where backtracking takes years: %s', (source, subject) => {
    // A backtracking matcher does not come back from these within the test's time limit.
    expect(new Pattern(source).test(subject)).toBe(false);
  });

  it.each(['(?=a)', '(?!a)', '(?<=a)', '(?<!a)', '(a)\\1', '(?<n>a)\\k<n>', '\\p{L}', '\\bword'])(
    'refuses what cannot be matched in linear time or alike everywhere: %s',
    (source) => expect(() => new Pattern(source)).toThrow(CodedError),
  );

  it.each([
    ['(a{1000}){1000}', /too large/],
    ['((((){1000}){1000}){1000}){1000}', /too large/],
    ['('.repeat(60), /nested too deep/],
    ['a{1001}', /over 1000/],
    ['a{3,2}', /ends before it begins/],
    ['[b-a]', /no range/],
    ['a)', /"\)" without "\("/],
    ['(a', /"\(" without "\)" at character 1/],
    ['[a', /"\[" without "\]"/],
    ['*a', /repeats nothing/],
    ['\\ud83d', /not possible here/],
  ])('says what is wrong with %s', (source, message) => {
    expect(() => new Pattern(source)).toThrow(message);
  });

  it('counts bytes of UTF-8', () => {
    expect(['', 'a', 'é', '€', '\u{1f600}'].map(utf8Length)).toEqual([0, 1, 2, 3, 4]);
  });
});
