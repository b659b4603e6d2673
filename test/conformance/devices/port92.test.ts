import { describe, expect, it } from 'vitest';
import { Debugcon } from '../../../src/devices/debugcon.js';
import { Port92 } from '../../../src/devices/port92.js';

describe('port 92h', () => {
  it('drives A20 and resets on a rising bit 0 only', () => {
    const events: string[] = [];
    const { ports } = new Port92('port92', {
      onA20: (level) => events.push(`a20 ${level}`),
      onReset: () => events.push('reset'),
    });
    expect(ports.read(0, 1)).toBe(2);
    ports.write(0, 0, 1);
    ports.write(0, 3, 1);
    ports.write(0, 3, 1);
    expect(events).toEqual(['a20 false', 'a20 true', 'reset', 'a20 true']);
  });
});

describe('debug console', () => {
  it('reads E9h and outputs every byte', () => {
    const out: number[] = [];
    const { ports } = new Debugcon('debugcon', { onOutput: (byte) => out.push(byte) });
    expect(ports.read(0, 1)).toBe(0xe9);
    for (const byte of [0x68, 0x69]) ports.write(0, byte, 1);
    expect(out).toEqual([0x68, 0x69]);
  });
});
