import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.js';
import { readState, writeState } from '../../../src/core/state.js';
import {
  COMMANDS,
  FLAG_BITS,
  MAGIC,
  MAX_DATA_BYTES,
  MAX_TEXT_BYTES,
  STATUS,
  type Command,
  type CommandName,
} from '../../../src/devices/backdoor/protocol.js';
import type { BackdoorReply } from '../../../src/devices/backdoor/service.js';
import { ascii, Bench, PageFault, REGISTERS, type Registers } from './fake-guest.js';

const PAGE = 0x1000;
const TEXT = 0x20_0000;
const NAMES = Object.keys(COMMANDS) as CommandName[];
const WITH_TEXT = NAMES.filter((name) => ['name', 'text'].includes(COMMANDS[name].payload));
const WITH_DATA = NAMES.filter((name) => COMMANDS[name].payload === 'data');
/** Every register answered, whatever the command. */
const FULL: BackdoorReply = { status: STATUS.OK, ebx: 0xb, ecx: 0xc, edx: 0xd, esi: 0x51, edi: 0xd1 };

function bench(text = 'some-name'): Bench {
  const it = new Bench();
  it.caller.map(TEXT, 'writable', 20).poke(TEXT, ascii(text));
  Object.assign(it.caller.registers, { ebx: 5, esi: TEXT, edi: text.length });
  return it;
}

function inlineText(text: string): Partial<Registers> {
  const view = new DataView(new ArrayBuffer(8));
  ascii(text).forEach((byte, i) => view.setUint8(i, byte));
  return { esi: view.getUint32(0, true), edi: view.getUint32(4, true) };
}

describe('an access of the backdoor port', () => {
  it('is no call without the magic: all ones, and no register changes', () => {
    const at = bench();
    at.caller.registers.eax = MAGIC + 1;
    const before = { ...at.caller.registers };
    expect(at.device.portIn32(at.caller)).toBe(0xffff_ffff);
    expect(at.caller.registers).toEqual(before);
    expect(at.asks).toEqual([]);
  });

  it('finds an empty port when it is narrow, misplaced or a write', () => {
    const { ports } = bench().device;
    for (let offset = 0; offset < 4; offset++) {
      expect([1, 2, 4].map((width) => ports.read(offset, width as 1))).toEqual([0xff, 0xffff, 0xffff_ffff]);
      ports.write(offset, MAGIC, 4);
    }
  });

  it('is denied when nobody answers for the host', () => {
    const at = bench();
    at.device.service = null;
    expect(at.call('STATUS')).toBe(STATUS.DENIED);
  });
});

describe('a granted call', () => {
  it.each(NAMES)('of %s changes EAX and the registers of the table, and no other', (name) => {
    const at = bench();
    at.service.reply = FULL;
    const before = { ...at.caller.registers };
    expect(at.call(name)).toBe(STATUS.OK);
    const { results }: Command = COMMANDS[name];
    for (const register of REGISTERS) {
      if (register === 'eax') continue;
      const kept = register === 'ecx' ? COMMANDS[name].number : before[register];
      // GET counts the bytes itself.
      const answered = name === 'GET' ? 0 : FULL[register];
      expect([register, at.caller.registers[register]]).toEqual([
        register,
        results.includes(register) ? answered : kept,
      ]);
    }
  });

  it.each(NAMES)('of %s is asked for once, with what the caller gave', (name) => {
    const at = bench();
    at.caller.cpl = 3;
    at.caller.cr3 = 0x7000;
    at.call(name);
    const kind = COMMANDS[name].payload;
    expect(at.asks.map((ask) => ask.kind)).toEqual(['backdoor']);
    expect(at.service.requests).toEqual([
      {
        command: name,
        flags: 0,
        ebx: 5,
        esi: name === 'HELLO' ? TEXT : 0,
        edi: name === 'GET' ? 9 : 0,
        payload: kind === 'none' || kind === 'buffer' ? new Uint8Array(0) : ascii('some-name'),
        caller: { ring: 3, cr3: 0x7000, eip: 0x8000, codeSha256: null },
      },
    ]);
  });

  it('of START hands on NEST, and never the flags that are the device’s own', () => {
    const at = bench();
    at.call('START', {}, FLAG_BITS.NEST | FLAG_BITS.TOUCH);
    expect(at.service.requests[0].flags).toBe(FLAG_BITS.NEST);
  });

  it('of EXIT ends the machine, a refused one does not', () => {
    const at = bench();
    at.service.reply = { status: STATUS.DENIED };
    at.call('EXIT', { ebx: 7 });
    expect(at.exits).toEqual([]);
    at.service.reply = { status: STATUS.OK };
    at.call('EXIT', { ebx: 7 });
    expect(at.exits).toEqual([7]);
  });
});

describe('a refused call', () => {
  it.each(
    NAMES.flatMap((name) =>
      [
        STATUS.DENIED,
        STATUS.RATE,
        STATUS.QUOTA,
        STATUS.BUSY,
        STATUS.NOT_RECORDING,
        STATUS.HOST_IO,
        STATUS.NOT_OWNER,
      ].map((status) => [name, status] as const),
    ),
  )('of %s with status %i changes EAX only', (name, status) => {
    const at = bench();
    at.service.reply = { ...FULL, status, data: ascii('x') };
    expect(at.call(name)).toBe(status);
    expect(at.caller.changes).toEqual([]);
  });

  it('with a number that no command has is NOSYS and is not asked for', () => {
    const at = bench();
    for (const number of [15, 100, 0xffff]) expect(at.call(number)).toBe(STATUS.NOSYS);
    expect(at.asks).toEqual([]);
    expect(at.caller.changes).toEqual([]);
  });

  it('with an unknown flag is INVALID and is not asked for', () => {
    const at = bench();
    for (const name of NAMES) expect(at.call(name, {}, 0x8)).toBe(STATUS.INVALID);
    expect(at.call('MARK', {}, 0x8000)).toBe(STATUS.INVALID);
    expect(at.asks).toEqual([]);
  });
});

describe('a text', () => {
  it.each(WITH_TEXT)('of %s may be 4096 bytes long and no longer', (name) => {
    const at = bench('n'.repeat(MAX_TEXT_BYTES + 1));
    expect(at.call(name, { edi: MAX_TEXT_BYTES })).toBe(STATUS.OK);
    expect(at.service.requests[0].payload).toHaveLength(MAX_TEXT_BYTES);
    expect(at.call(name, { edi: MAX_TEXT_BYTES + 1 })).toBe(STATUS.TOO_LONG);
    expect(at.call(name, { edi: 0xffff_ffff })).toBe(STATUS.TOO_LONG);
    expect(at.asks).toHaveLength(1);
  });

  it.each(WITH_TEXT)('of %s is not empty', (name) => {
    const at = bench();
    expect(at.call(name, { edi: 0 })).toBe(STATUS.INVALID);
    expect(at.asks).toEqual([]);
  });

  it.each([
    ['a lone continuation byte', [0x80]],
    ['a sequence that is cut off', [0x61, 0xe2, 0x82]],
    ['an overlong form of two bytes', [0xc0, 0xaf]],
    ['an overlong form of three bytes', [0xe0, 0x9f, 0xbf]],
    ['an overlong form of four bytes', [0xf0, 0x8f, 0xbf, 0xbf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a code point beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a lead byte that does not exist', [0xff]],
    ['the zero byte', [0x61, 0]],
    ['escape', [0x1b, 0x5b]],
    ['delete', [0x7f]],
    ['a control character of the second kind', [0xc2, 0x9b]],
  ])('with %s is INVALID', (_what, bytes) => {
    const at = bench();
    at.caller.poke(TEXT, Uint8Array.from(bytes));
    for (const name of WITH_TEXT) expect(at.call(name, { edi: bytes.length })).toBe(STATUS.INVALID);
    expect(at.asks).toEqual([]);
  });

  it.each(['ä', 'ß\u00a0', '€\ud7ff\ue000', '\u{1f39e}\u{10ffff}'])('may hold %j', (text) => {
    const at = bench();
    at.caller.poke(TEXT, ascii(text));
    expect(at.call('MARK', { edi: ascii(text).length })).toBe(STATUS.OK);
  });

  it('of LOG may have lines and tabs, a name may not', () => {
    const at = bench('one\ttwo\r\nthree\n');
    expect(at.call('LOG')).toBe(STATUS.OK);
    for (const name of WITH_TEXT.filter((n) => n !== 'LOG')) expect(at.call(name)).toBe(STATUS.INVALID);
  });
});

describe('data', () => {
  it.each(WITH_DATA)('of %s is any bytes, none to 65536', (name) => {
    const at = bench();
    at.caller.poke(TEXT, Uint8Array.of(0xff, 0, 0x1b));
    expect(at.call(name, { edi: 3 })).toBe(STATUS.OK);
    expect(at.call(name, { edi: 0 })).toBe(STATUS.OK);
    expect(at.call(name, { edi: MAX_DATA_BYTES })).toBe(STATUS.OK);
    expect(at.service.requests.map((r) => r.payload.length)).toEqual([3, 0, MAX_DATA_BYTES]);
    expect(at.call(name, { edi: MAX_DATA_BYTES + 1 })).toBe(STATUS.TOO_LONG);
  });
});

describe('an inline text', () => {
  it.each(['abcd', 'abcde', 'abcdefgh', 'a\u00e9\u20ac'])('%j comes from ESI and EDI', (text) => {
    const at = new Bench();
    expect(at.call('MARK', inlineText(text), FLAG_BITS.INLINE)).toBe(STATUS.OK);
    expect(at.service.requests[0].payload).toEqual(ascii(text));
  });

  it.each(['', 'abc', 'ab\0d', 'abcd\0fg', 'abcdefg\u001b'])('%j is INVALID', (text) => {
    const at = new Bench();
    expect(at.call('MARK', inlineText(text), FLAG_BITS.INLINE)).toBe(STATUS.INVALID);
    expect(at.asks).toEqual([]);
  });

  it('is all eight bytes where a command takes data', () => {
    const at = new Bench();
    expect(at.call('CHECK', { esi: 0xff, edi: 0 }, FLAG_BITS.INLINE)).toBe(STATUS.OK);
    expect(at.service.requests[0].payload).toEqual(Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0));
  });
});

describe('memory that is missing', () => {
  const LAST = TEXT + 20 * PAGE - 3;

  it.each([...WITH_TEXT, ...WITH_DATA])('makes %s FAULT with the offset in EBX', (name) => {
    const at = bench();
    at.caller.poke(LAST, ascii('abc'));
    expect(at.call(name, { esi: LAST, edi: 3 })).toBe(STATUS.OK);
    at.caller.changes.length = 0;
    expect(at.call(name, { esi: LAST, edi: 4 })).toBe(STATUS.FAULT);
    expect(at.caller.registers.ebx).toBe(3);
    expect(at.caller.changes).toEqual(['ebx']);
    expect(at.asks).toHaveLength(1);
  });

  it('is what the caller may not read, too', () => {
    const at = new Bench();
    at.caller.map(TEXT, 'supervisor').poke(TEXT, ascii('secret'));
    at.caller.cpl = 3;
    expect(at.call('MARK', { esi: TEXT, edi: 6 })).toBe(STATUS.FAULT);
    expect(at.caller.registers.ebx).toBe(0);
    at.caller.cpl = 0;
    expect(at.call('MARK', { esi: TEXT, edi: 6 })).toBe(STATUS.OK);
  });

  it('may lie behind the end of the address space, where the text goes on at 0', () => {
    const at = new Bench();
    at.caller.map(0xffff_f000).poke(0xffff_fffe, ascii('ab'));
    expect(at.call('MARK', { esi: 0xffff_fffe, edi: 4 })).toBe(STATUS.FAULT);
    expect(at.caller.registers.ebx).toBe(2);
    at.caller.map(0).poke(0, ascii('cd'));
    expect(at.call('MARK', { esi: 0xffff_fffe, edi: 4 })).toBe(STATUS.OK);
    expect(at.service.requests[0].payload).toEqual(ascii('abcd'));
  });

  it('raises the caller’s page fault with TOUCH, and nothing has happened', () => {
    const at = bench();
    const before = { esi: LAST, edi: 4, ebx: 1 };
    expect(() => at.call('MARK', before, FLAG_BITS.TOUCH)).toThrow(new PageFault(LAST + 3, false));
    expect(at.caller.changes).toEqual([]);
    expect(at.asks).toEqual([]);
    at.caller.map(TEXT + 20 * PAGE).poke(LAST, ascii('abcd'));
    expect(at.in()).toBe(STATUS.OK);
  });

  it('is FAULT in spite of TOUCH where a touch finds something that is no memory', () => {
    const at = bench();
    at.caller.touch = () => {};
    expect(at.call('MARK', { esi: LAST, edi: 4 }, FLAG_BITS.TOUCH)).toBe(STATUS.FAULT);
  });
});

describe('GET', () => {
  it('puts the bytes into the buffer and their number into ECX', () => {
    const at = bench('0123456789');
    at.service.reply = { status: STATUS.OK, ecx: 99, data: ascii('abc') };
    expect(at.call('GET', { edi: 8 })).toBe(STATUS.OK);
    expect(at.caller.registers.ecx).toBe(3);
    expect(at.caller.peek(TEXT, 10)).toEqual(ascii('abc3456789'));
  });

  it('never writes more than there is room for', () => {
    const at = bench('0123456789');
    at.service.reply = { status: STATUS.OK, data: ascii('abcdefgh') };
    expect(at.call('GET', { edi: 2 })).toBe(STATUS.OK);
    expect(at.caller.registers.ecx).toBe(2);
    expect(at.caller.peek(TEXT, 4)).toEqual(ascii('ab23'));
  });

  it('needs a buffer that can be written, before anything is asked for', () => {
    const at = new Bench();
    at.caller.map(TEXT).map(TEXT + PAGE, 'read-only');
    expect(at.call('GET', { esi: TEXT + PAGE - 4, edi: 8 })).toBe(STATUS.FAULT);
    expect(at.caller.registers.ebx).toBe(4);
    const room = { esi: TEXT + PAGE - 4, edi: 8 };
    expect(() => at.call('GET', room, FLAG_BITS.TOUCH)).toThrow(new PageFault(TEXT + PAGE, true));
    expect(at.call('GET', { esi: TEXT, edi: MAX_DATA_BYTES + 1 })).toBe(STATUS.TOO_LONG);
    expect(at.asks).toEqual([]);
  });
});

describe('a replay', () => {
  it('serves the recorded answers, does the same to the guest and asks no service', () => {
    const calls = (at: Bench): unknown[] => {
      const seen: unknown[] = [];
      for (const name of NAMES) {
        at.call(name, { ebx: 3, esi: TEXT, edi: 9 });
        seen.push({ ...at.caller.registers }, [...at.caller.peek(TEXT, 9)]);
      }
      return seen;
    };
    const recorded = bench();
    recorded.service.reply = { ...FULL, data: ascii('from host') };
    const first = calls(recorded);
    const replayed = bench();
    replayed.device.service = null;
    replayed.replay(recorded.asks);
    expect(calls(replayed)).toEqual(first);
    expect(replayed.exits).toEqual(recorded.exits);
  });
});

describe('ring 3', () => {
  it('is let in or not by an input, which is part of the state', () => {
    const at = new Bench();
    expect(at.device.allowsRing3()).toBe(false);
    at.gate.admit('policy', Uint8Array.of(1));
    expect(at.device.allowsRing3()).toBe(true);
    const out = new ByteWriter();
    writeState(out, at.device.schema, at.device.state);
    at.gate.admit('policy', Uint8Array.of(0));
    expect(at.device.allowsRing3()).toBe(false);
    readState(new ByteReader(out.finish()), at.device.schema, at.device.state);
    expect(at.device.allowsRing3()).toBe(true);
    at.device.reset();
    expect(at.device.allowsRing3()).toBe(true);
  });
});
