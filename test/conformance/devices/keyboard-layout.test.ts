import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/hash.js';
import { NAMED_KEYS, scanCodesForKeys, scanCodesForText } from '../../../src/devices/keyboard-layout.js';
import { translated } from '../../../src/devices/scan-codes.js';

/** What a PC sees of set 2 codes: characters by set 1 code, as a DOS keyboard driver would decode them. */
function typed(set2: Uint8Array): string {
  const plain = "··1234567890-=\b\tqwertyuiop[]\n·asdfghjkl;'`·\\zxcvbnm,./··· ";
  const shifted = '··!@#$%^&*()_+\b\tQWERTYUIOP{}\n·ASDFGHJKL:"~·|ZXCVBNM<>?··· ';
  let text = '';
  let shift = false;
  let released = false;
  for (const byte of set2) {
    if (byte === 0xf0) {
      released = true;
      continue;
    }
    const code = translated(byte, false);
    if (code === 0x2a) shift = !released;
    else if (!released) text += (shift ? shifted : plain)[code] ?? '·';
    released = false;
  }
  return text;
}

describe('US keyboard layout', () => {
  it('types every printable ASCII character', () => {
    let all = '';
    for (let code = 0x20; code < 0x7f; code++) all += String.fromCharCode(code);
    expect(typed(scanCodesForText(all))).toBe(all);
  });

  it('types line ends, tabs and control characters', () => {
    expect(toHex(scanCodesForText('\n'))).toBe('5af05a');
    expect(toHex(scanCodesForText('\r\n'))).toBe('5af05a');
    expect(toHex(scanCodesForText('\t'))).toBe('0df00d');
    expect(toHex(scanCodesForText('\x03'))).toBe('1421f021f014');
  });

  it('holds combinations together and releases them in reverse', () => {
    expect(toHex(scanCodesForKeys('ctrl-alt-delete'))).toBe('1411e071e0f071f011f014');
    expect(toHex(scanCodesForKeys('shift-f10'))).toBe('1209f009f012');
    expect(toHex(scanCodesForKeys('ctrl-c'))).toBe('1421f021f014');
    expect(toHex(scanCodesForKeys('-'))).toBe('4ef04e');
    expect(toHex(scanCodesForKeys('ctrl--'))).toBe('144ef04ef014');
  });

  it('knows its named keys by their own codes', () => {
    for (const [name, code] of Object.entries(NAMED_KEYS)) {
      const prefix = code > 0xff ? 'e0' : '';
      const low = (code & 0xff).toString(16).padStart(2, '0');
      expect(toHex(scanCodesForKeys(name)), name).toBe(`${prefix}${low}${prefix}f0${low}`);
    }
  });

  it('says which character or key it does not know', () => {
    expect(() => scanCodesForText('é')).toThrow(/"é"/);
    expect(() => scanCodesForKeys('ctrl-foo')).toThrow(/"foo"/);
    expect(() => scanCodesForKeys('constructor')).toThrow(/"constructor"/);
  });
});
