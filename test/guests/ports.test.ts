import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CodedError, Recording } from '../../src/index.js';
import { boot, image } from './guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'ports-'));
afterAll(() => rmSync(outDir, { recursive: true }));

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('printer, four serial ports and mouse', () => {
  it('work by interrupts, and in a replay', async () => {
    const machine = await boot(image('ports.img'), { outDir, serialPorts: 4, digestTicks: 200_000 });
    let file = '';
    machine.on('recording', (event) => (file = event.file));
    const printed: number[] = [];
    machine.onParallel((bytes) => printed.push(...bytes));
    const sent = ['', '', '', ''];
    machine.onSerial((bytes, port) => (sent[port] += String.fromCharCode(...bytes)));
    await machine.startRecording({ name: 'ports' });
    await machine.run({ until: { serial: /ready\r\n/ } });
    expect(String.fromCharCode(...printed)).toBe('a page\f');
    expect(sent.slice(2)).toEqual(['com3\r\n', 'com4\r\n']);

    machine.typeSerial('three', 2);
    machine.typeSerial('four', 3);
    await machine.run({ until: { ticks: machine.tick + 3_000_000 } });
    expect(sent.slice(2)).toEqual(['com3\r\nthree', 'com4\r\nfour']);

    const packet = async (): Promise<string | undefined> => {
      await machine.run({ until: { serial: /mouse \w+\r\n/, ticks: machine.tick + 10_000_000 } });
      return /mouse (\w+)\r\n$/.exec(machine.serialText)?.[1];
    };
    machine.moveMouse(5, 3);
    expect(await packet()).toBe('2805fd00');
    machine.moveMouse(-1, -2, { buttons: ['left'] });
    expect(await packet()).toBe('19ff0200');
    // Buttons stay pressed.
    machine.moveMouse(0, 0, { wheel: -1 });
    expect(await packet()).toBe('090000ff');
    machine.moveMouse(0, 0, { buttons: ['middle'] });
    expect(await packet()).toBe('0c000000');
    machine.moveMouse(300, 0, { buttons: [] });
    expect(await packet()).toBe('08ff0000');
    expect(await packet()).toBe('082d0000');
    machine.moveMouse(0, 0, { buttons: ['left', 'right'] });
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    const { serialText } = machine;
    expect(serialText).toMatch(/ports: done\r\n$/);
    await machine.close();

    const recording = await Recording.open(file);
    expect(await recording.verify()).toMatchObject({ ok: true });
    const replay = await recording.replay();
    const again: number[] = [];
    replay.onParallel((bytes) => again.push(...bytes));
    await replay.run();
    expect([replay.serialText, again]).toEqual([serialText, printed]);
    await replay.close();
    await recording.close();
  });

  it('are refused what they cannot have', async () => {
    const machine = await boot(image('ports.img'), { outDir, serialPorts: 0 });
    expect(codeOf(() => machine.typeSerial('x'))).toBe('USAGE');
    for (const [dx, dy, wheel] of [
      [0.5, 0, 0],
      [0, 40_000, 0],
      [0, 0, 128],
    ] as const) {
      expect(codeOf(() => machine.moveMouse(dx, dy, { wheel }))).toBe('USAGE');
    }
    await machine.close();
    await expect(boot(image('ports.img'), { outDir, serialPorts: 5 })).rejects.toMatchObject({ code: 'USAGE' });
  });
});
