import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MachineOptions } from '../../src/index.js';
import { boot, image } from './guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'boot-rom-'));
afterAll(() => rmSync(outDir, { recursive: true }));

const PATIENCE = 100_000_000;

/** What an image says on COM1 until it switches off, and what its screen shows then. */
async function run(name: string, options: MachineOptions = {}): Promise<{ lines: string[]; screen: string }> {
  const machine = await boot(image(name), { outDir, memory: '16M', ...options });
  const stop = await machine.run({ until: { ticks: PATIENCE } });
  const lines = machine.serialText.trim().split('\r\n');
  const screen = machine.screenText().trim();
  await machine.close();
  expect(stop, machine.serialText).toEqual({ kind: 'powered-off' });
  return { lines, screen };
}

describe("the boot ROM's VBE", () => {
  it('has modes that show what is written to them', async () => {
    const { lines, screen } = await run('vbe.img');
    expect(lines.at(-1)).toBe('vbe: ok');
    expect(screen).toBe('back in text');
  });

  it('lists modes with their sizes and colours by the usual numbers', async () => {
    const { lines } = await run('vbe.img');
    const modes = lines.filter((line) => line.startsWith('mode '));
    // Number, width, height, bits, bytes of a line, attributes, model, places of red, green and blue.
    const some = [
      'mode 0100 0280 0190 0008 0280 009b 0004 0000 0000 0000',
      'mode 0101 0280 01e0 0008 0280 009b 0004 0000 0000 0000',
      'mode 0102 0320 0258 0004 0064 001f 0003 0000 0000 0000',
      'mode 0110 0280 01e0 000f 0500 009b 0006 000a 0005 0000',
      'mode 0114 0320 0258 0010 0640 009b 0006 000b 0005 0000',
      'mode 0117 0400 0300 0010 0800 009b 0006 000b 0005 0000',
      'mode 0118 0400 0300 0018 0c00 009b 0006 0010 0008 0000',
      'mode 0144 0400 0300 0020 1000 009b 0006 0010 0008 0000',
    ];
    for (const mode of some) expect(modes).toContain(mode);
    const numbers = modes.map((mode) => parseInt(mode.slice(5, 9), 16));
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe("the boot ROM's mouse and power management", () => {
  it('call the handler with packets, and switch off', async () => {
    const machine = await boot(image('mouse.img'), { outDir, memory: '16M' });
    expect(await machine.run({ until: { serial: /mouse: .*\r\n/, ticks: PATIENCE } })).toMatchObject({
      what: 'serial',
    });
    expect(machine.serialText).toBe('mouse: ready\r\n');
    // A key that comes meanwhile is the keyboard's.
    machine.pressKeys('a');
    machine.moveMouse(5, -3);
    await machine.run({ until: { serial: /packet .*\r\n/, ticks: 2 * PATIENCE } });
    expect(machine.serialText).toContain('packet 8 5 3 0\r\n');
    machine.moveMouse(-2, 1, { buttons: ['left'] });
    await machine.run({ until: { serial: /packet .*\r\n/, ticks: 3 * PATIENCE } });
    expect(machine.serialText).toContain('packet 57 254 255 0\r\n');
    machine.moveMouse(0, 0, { buttons: ['right'] });
    expect(await machine.run({ until: { ticks: 4 * PATIENCE } })).toEqual({ kind: 'powered-off' });
    expect(machine.serialText.trim().split('\r\n').slice(-2)).toEqual(['packet 10 0 0 0', 'mouse: ok']);
    await machine.close();
  });
});

describe('PCI behind a reset', () => {
  it.each([true, false])('is as it was at power-on, APIC %s', async (apic) => {
    const network = [{ model: 'e1000' }, { model: 'ne2k_pci' }] as const;
    const backend = { kind: 'none' } as const;
    const { lines } = await run('pci.img', { apic, network: network.map((card) => ({ ...card, backend })) });
    expect(lines.at(-1)).toBe('pci: over');
    const starts = [1, 2, 3, 4, 5].map((n) => lines.indexOf(`boot ${n}`));
    const boots = starts.map((at, n) => lines.slice(at + 1, starts[n + 1] ?? -1));
    expect(boots[0]).toHaveLength(8);
    // Identity, command, BARs 0, 1, 2 and 4, ROM, interrupt.
    expect(boots[0]).toContain('11111234 00000003 e0000008 00000000 e0820000 00000000 00000000 00000000');
    expect(boots[0]).toContain('100e8086 00000003 e0800000 0000c101 00000000 00000000 00000000 0000010b');
    expect(boots[0].at(-1)).toMatch(/routes 0b0b0a0a power 00000600 00000001 levels 00000e00 display e0000000$/);
    for (const later of boots.slice(1)) expect(later).toEqual(boots[0]);
  });
});

describe("the boot ROM's mode 13h", () => {
  // 31.469 kHz and 449 lines; a PC of 31 million instructions per second paints as many.
  it.each([4, 32])('shows each of the 70 frames of a second at %i ns a tick', async (nsPerTick) => {
    const machine = await boot(image('mode13.img', 35), { outDir, nsPerTick });
    await machine.run({ until: { serial: /mode13: start/ } });
    const from = machine.tick;
    await machine.run({ until: { serial: /mode13: ok/ } });
    const seconds = ((machine.tick - from) * nsPerTick) / 1e9;
    // What is printed at the end takes time, too.
    expect(Math.abs(35 / seconds - 70)).toBeLessThan(1.5);
    const picture = Buffer.from(machine.screenshot('ppm'));
    expect(picture.subarray(0, 15).toString()).toBe('P6\n640 400\n255\n');
    // Pixels (0, 0) and (1, 0) of the last frame: colours 0 and (35 xor 34), of a palette that has been turned 34 times.
    const pixel = (x: number): number[] => [...picture.subarray(15 + 6 * x, 18 + 6 * x)];
    const wide = (value: number): number => (value << 2) | (value >> 4);
    const colour = (n: number): number[] => [(n + 34) & 63, n >> 1, 63 - n].map(wide);
    expect([pixel(0), pixel(1)]).toEqual([colour(0), colour(34 ^ 35)]);
    await machine.close();
  });
});
