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

  it('are known to the boot ROM, which prints by INT 17h', async () => {
    // jmp $+2; mov ax, 'P'; xor dx, dx; int 17h; mov [7E00h], ah; cli; hlt
    const program = Buffer.from('eb00b8500031d2cd178826007efaf4', 'hex');
    const sector = new Uint8Array(512);
    sector.set(program);
    sector.set([0x55, 0xaa], 510);
    const machine = await boot(sector, { outDir, serialPorts: 3 });
    const printed: number[] = [];
    machine.onParallel((bytes) => printed.push(...bytes));
    expect(await machine.run({ until: { ticks: 50e6 } })).toEqual({ kind: 'halted' });
    expect(printed).toEqual([0x50]);
    // Busy with it, selected, no error.
    expect(machine.readMemory(0x7e00, 1)[0]! & 0x39).toBe(0x10);
    const bda = Buffer.from(machine.readMemory(0x400, 0x12));
    const words = Array.from({ length: 6 }, (_, n) => bda.readUInt16LE(2 * n));
    expect(words).toEqual([0x3f8, 0x2f8, 0x3e8, 0, 0x378, 0]);
    expect(bda.readUInt16LE(0x10) & 0xce00).toBe(0x4600);
    await machine.close();
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
