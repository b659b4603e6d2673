import { beforeEach, describe, expect, it } from 'vitest';
import { I8042 } from '../../../src/devices/i8042.js';
import { scanCodesForKeys, scanCodesForText } from '../../../src/devices/keyboard-layout.js';
import { Bench } from './conformance.js';

const OBF = 0x01;
const AUX = 0x20;

describe('8042', () => {
  let bench: Bench;
  let i8042: I8042;

  beforeEach(() => {
    bench = new Bench();
    i8042 = new I8042('i8042', {
      clock: bench.clock,
      timers: bench.timers,
      irq1: bench.line('irq1'),
      irq12: bench.line('irq12'),
      onA20: (level) => bench.note(`a20 ${level}`),
      onReset: () => bench.note('reset'),
    });
    bench.map(0x60, 1, i8042.dataPorts);
    bench.map(0x64, 1, i8042.commandPorts);
  });

  const settle = () => bench.advanceNs(2_000_000);
  /** Reads everything the controller has to say, with `!` after bytes of the mouse. */
  function drain(): string {
    const bytes: string[] = [];
    for (settle(); bench.read(0x64) & OBF && bytes.length < 1000; settle()) {
      const aux = bench.read(0x64) & AUX;
      bytes.push(bench.read(0x60).toString(16).padStart(2, '0') + (aux ? '!' : ''));
    }
    return bytes.join(' ');
  }
  function command(code: number, ...data: number[]): string {
    bench.write(0x64, code);
    for (const byte of data) bench.write(0x60, byte);
    return drain();
  }
  function keyboard(...bytes: number[]): string {
    return bytes.map((byte) => (bench.write(0x60, byte), drain())).join(' ');
  }
  function mouse(...bytes: number[]): string {
    return bytes.map((byte) => command(0xd4, byte)).join(' ');
  }

  it('passes its self-test and the port tests', () => {
    expect(command(0xaa)).toBe('55');
    expect(bench.read(0x64) & 0x04).toBe(0x04);
    expect(command(0xab)).toBe('00');
    expect(command(0xa9)).toBe('00');
    expect(command(0xa4)).toBe('f1');
  });

  it('reads and writes the command byte and its RAM', () => {
    expect(command(0x20)).toBe('47');
    command(0x60, 0x65);
    expect(command(0x20)).toBe('65');
    command(0x7f, 0x5a);
    expect(command(0x3f)).toBe('5a');
  });

  it('enables and disables its ports through bits 4 and 5', () => {
    command(0xad);
    expect(command(0x20)).toBe('57');
    command(0xa7);
    expect(command(0x20)).toBe('77');
    command(0xae);
    command(0xa8);
    expect(command(0x20)).toBe('47');
  });

  it('tells commands from data in status bit 3', () => {
    bench.write(0x64, 0xae);
    expect(bench.read(0x64) & 0x08).toBe(0x08);
    bench.write(0x60, 0xf4);
    expect(bench.read(0x64) & 0x08).toBe(0);
  });

  it('translates keys to set 1 and raises IRQ 1 for each byte', () => {
    i8042.keyBytes(scanCodesForText('a'));
    settle();
    expect(bench.levels['irq1']).toBe(true);
    expect(bench.read(0x60)).toBe(0x1e);
    expect(bench.levels['irq1']).toBe(false);
    expect(bench.read(0x64) & OBF).toBe(0);
    settle();
    expect(bench.levels['irq1']).toBe(true);
    expect(drain()).toBe('9e');
    i8042.keyBytes(scanCodesForKeys('ctrl-alt-delete'));
    expect(drain()).toBe('1d 38 e0 53 e0 d3 b8 9d');
    i8042.keyBytes(scanCodesForKeys('f7'));
    expect(drain()).toBe('41 c1');
    i8042.keyBytes(scanCodesForKeys('pause'));
    expect(drain()).toBe('e1 1d 45 e1 9d c5');
  });

  it('passes set 2 through without translation', () => {
    command(0x60, 0x05);
    i8042.keyBytes(scanCodesForText('a'));
    expect(drain()).toBe('1c f0 1c');
  });

  it('raises no interrupt that the command byte forbids', () => {
    command(0x60, 0x44);
    i8042.keyBytes(scanCodesForText('a'));
    settle();
    expect(bench.read(0x64) & OBF).toBe(OBF);
    expect(bench.levels['irq1']).toBe(false);
  });

  it('lets keys wait while the port is disabled', () => {
    command(0xad);
    i8042.keyBytes(scanCodesForText('a'));
    expect(drain()).toBe('');
    expect(i8042.waitingKeyBytes).toBe(3);
    bench.write(0x64, 0xae);
    expect(drain()).toBe('1e 9e');
  });

  it('drives A20 and reset', () => {
    const events = () => bench.trace.filter((event) => /a20|reset/.test(event)).map((event) => event.split(': ')[1]);
    command(0xdd);
    command(0xdf);
    command(0xd1, 0xdd);
    expect(command(0xd0)).toBe('cd'); // as written, the live bits 4 and 5 low
    expect(events()).toEqual(['a20 false', 'a20 true', 'a20 false']);
    command(0xfe);
    command(0xd1, 0xde);
    expect(events().slice(3)).toEqual(['reset', 'a20 true', 'reset']);
    command(0xff);
    expect(events()).toHaveLength(6);
  });

  it('loops bytes back as if a device had sent them', () => {
    expect(command(0xd2, 0x5a)).toBe('5a');
    expect(command(0xd3, 0xa5)).toBe('a5!');
  });

  it('raises IRQ 12 for the auxiliary port', () => {
    bench.write(0x64, 0xd3);
    bench.write(0x60, 1);
    settle();
    expect([bench.levels['irq1'], bench.levels['irq12']]).toEqual([false, true]);
  });

  it('lets its own answers overtake a key on the cable', () => {
    i8042.keyBytes(scanCodesForText('a'));
    bench.write(0x64, 0x20);
    expect(drain()).toBe('47 1e 9e');
  });

  describe('keyboard', () => {
    beforeEach(() => void command(0x60, 0x05));

    it('answers the command set', () => {
      expect(keyboard(0xee)).toBe('ee');
      expect(keyboard(0xf2)).toBe('fa ab 83');
      expect(keyboard(0xed, 0x05)).toBe('fa fa');
      expect(i8042.state.keyboard.leds).toBe(5);
      expect(keyboard(0xf3, 0x00)).toBe('fa fa');
      expect(keyboard(0xf6)).toBe('fa');
      expect(keyboard(0x12)).toBe('fe');
      expect(keyboard(0xff)).toBe('fa aa');
      expect(keyboard(0xfe)).toBe('aa');
    });

    it('identifies itself through the translation, too', () => {
      command(0x60, 0x45);
      expect(keyboard(0xf2)).toBe('fa ab 41');
    });

    it('takes a command in place of a parameter', () => {
      expect(keyboard(0xed, 0xf4)).toBe('fa fa');
      expect(i8042.state.keyboard.leds).toBe(0);
    });

    it('drops keys while scanning is disabled', () => {
      keyboard(0xf5);
      i8042.keyBytes(scanCodesForText('a'));
      expect(drain()).toBe('');
      keyboard(0xf4);
      i8042.keyBytes(scanCodesForText('b'));
      expect(drain()).toBe('32 f0 32');
    });

    it('speaks sets 1 and 3 when told', () => {
      expect(keyboard(0xf0, 0x00)).toBe('fa fa 02');
      expect(keyboard(0xf0, 0x01)).toBe('fa fa');
      i8042.keyBytes(scanCodesForKeys('up'));
      expect(drain()).toBe('e0 48 e0 c8');
      i8042.keyBytes(scanCodesForKeys('pause'));
      expect(drain()).toBe('e1 1d 45 e1 9d c5');
      expect(keyboard(0xf0, 0x03)).toBe('fa fa');
      expect(keyboard(0xf0, 0x00)).toBe('fa fa 03');
      i8042.keyBytes(scanCodesForKeys('up'));
      i8042.keyBytes(scanCodesForText('A'));
      i8042.keyBytes(scanCodesForKeys('print'));
      expect(drain()).toBe('63 f0 63 12 1c f0 1c f0 12 57 f0 57');
      i8042.keyBytes(scanCodesForKeys('pause'));
      i8042.keyBytes(scanCodesForKeys('num_lock'));
      expect(drain()).toBe('62 f0 62 76 f0 76');
      keyboard(0xf6);
      i8042.keyBytes(scanCodesForKeys('up'));
      expect(drain()).toBe('e0 75 e0 f0 75');
    });

    it('forgets keys typed before a reset', () => {
      i8042.keyBytes(scanCodesForText('abc'));
      expect(keyboard(0xff)).toBe('fa aa');
    });
  });

  describe('mouse', () => {
    it('answers the command set', () => {
      expect(mouse(0xff)).toBe('fa! aa! 00!');
      expect(mouse(0xf2)).toBe('fa! 00!');
      expect(mouse(0xe8, 0x03, 0xf3, 40, 0xe7)).toBe('fa! fa! fa! fa! fa!');
      expect(mouse(0xe9)).toBe('fa! 10! 03! 28!');
      expect(mouse(0xf6, 0xe9)).toBe('fa! fa! 00! 02! 64!');
      expect(mouse(0x12)).toBe('fe!');
      expect(mouse(0xee, 0x55, 0xec)).toBe('fa! 55! fa!');
    });

    it('reports movement only after it was enabled', () => {
      i8042.mouseMove({ dx: 1, dy: 1, wheel: 0, buttons: 0 });
      expect(drain()).toBe('');
      expect(mouse(0xf6, 0xf4)).toBe('fa! fa!');
      i8042.mouseMove({ dx: 5, dy: -3, wheel: 0, buttons: 1 });
      expect(drain()).toBe('29! 05! fd!');
      i8042.mouseMove({ dx: 0, dy: 0, wheel: 0, buttons: 0 });
      expect(drain()).toBe('08! 00! 00!');
      i8042.mouseMove({ dx: 0, dy: 0, wheel: 0, buttons: 0 });
      expect(drain()).toBe('');
    });

    it('splits a long way into several packets', () => {
      mouse(0xf4);
      i8042.mouseMove({ dx: 300, dy: 0, wheel: 0, buttons: 4 });
      expect(drain()).toBe('0c! ff! 00! 0c! 2d! 00!');
    });

    it('has a wheel after the knock 200, 100, 80', () => {
      mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
      expect(mouse(0xf2)).toBe('fa! 03!');
      mouse(0xf4);
      i8042.mouseMove({ dx: 1, dy: 0, wheel: -1, buttons: 0 });
      expect(drain()).toBe('08! 01! 00! ff!');
      expect(mouse(0xff)).toBe('fa! aa! 00!');
    });

    it('sends packets on demand in remote mode', () => {
      mouse(0xf4, 0xf0);
      i8042.mouseMove({ dx: 2, dy: 3, wheel: 0, buttons: 0 });
      expect(drain()).toBe('');
      expect(mouse(0xeb)).toBe('fa! 08! 02! 03!');
    });
  });
});
