import { expect, it } from 'vitest';
import { keysOf } from '../../src/cli/terminal-keys.js';
import { scanCodesForKeys, scanCodesForText } from '../../src/devices/keyboard-layout.js';

const keys = (text: string): string[] =>
  keysOf(new TextEncoder().encode(text)).map((key) => (key.kind === 'text' ? key.text : `<${key.name}>`));

it('text, control characters and a lone ESC are typed as they are', () => {
  expect(keys('Dir\r\t\x03\x7f')).toEqual(['Dir\r\t\x03\x7f']);
  expect(keys('\x1b')).toEqual(['\x1b']);
});

it('escape sequences are the keys of a PC', () => {
  expect(keys('\x1b[A\x1bOB\x1b[3~\x1b[15~\x1bOP\x1b[[E')).toEqual([
    '<up>',
    '<down>',
    '<delete>',
    '<f5>',
    '<f1>',
    '<f5>',
  ]);
  expect(keys('a\x1b[Hb')).toEqual(['a', '<home>', 'b']);
});

it('ESC and a character is Alt with it', () => {
  expect(keys('\x1bx')).toEqual(['<alt-x>']);
});

it('what has no key is dropped, and so are unknown sequences', () => {
  expect(keys('\xe4a\u20ac\x1b[99~b\x00\x1c')).toEqual(['ab']);
});

it('the keyboard knows every key that can come out', () => {
  for (let code = 0; code < 0x100; code++) {
    for (const text of [String.fromCharCode(code), `\x1b${String.fromCharCode(code)}`, `\x1b[${code}~`]) {
      for (const key of keysOf(new TextEncoder().encode(text))) {
        expect(() => (key.kind === 'text' ? scanCodesForText(key.text) : scanCodesForKeys(key.name))).not.toThrow();
      }
    }
  }
});
