import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { manifest } from '../../guest-images/build.js';
import { Recording, type StopReason } from '../../src/index.js';
import { boot, drive, image, logOf, type Step } from '../guests/guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'determinism-'));
afterAll(() => rmSync(outDir, { recursive: true }));

interface Guest {
  readonly name: string;
  readonly parameter?: number;
  readonly steps?: readonly Step[];
  /** End of what it prints. */
  readonly last: RegExp;
  readonly stop: StopReason['kind'];
  /** It starts a recording of its own when nobody else did. */
  readonly recordsItself?: true;
}

const END_TICK = 400e6;
/** Longer runs are not cut at every tick, the longest not at every seventh. */
const SHORT_TICKS = 3e6;
const MIDDLE_TICKS = 20e6;

const GUESTS: readonly Guest[] = [
  { name: 'hello-serial.img', last: /hello from guestreel/, stop: 'powered-off' },
  { name: 'halt-idle.img', parameter: 1, last: /done, 1 interrupts/, stop: 'powered-off' },
  { name: 'real16.img', last: /real16: done/, stop: 'exit', recordsItself: true },
  { name: 'ring3.img', last: /ring3: done/, stop: 'powered-off', recordsItself: true },
  { name: 'vmport.img', last: /vmport: done/, stop: 'powered-off', recordsItself: true },
  { name: 'selfmod.img', last: /selfmod: ok, sum [0-9a-f]+/, stop: 'powered-off' },
  { name: 'triple-fault.img', last: /triple-fault: now/, stop: 'triple-fault' },
  { name: 'paging.img', last: /paging: ok/, stop: 'powered-off' },
  { name: 'bios.img', last: /bios: ok/, stop: 'powered-off' },
  { name: 'vbe.img', last: /vbe: ok/, stop: 'powered-off' },
  { name: 'mode13.img', parameter: 2, last: /mode13: ok/, stop: 'powered-off' },
  { name: 'pci.img', last: /pci: over/, stop: 'powered-off' },
  {
    name: 'mouse.img',
    steps: [
      [5_000_003, (m) => m.moveMouse(3, -2)],
      [9_000_007, (m) => m.moveMouse(0, 0, { buttons: ['right'] })],
    ],
    last: /packet 8 3 2 0[^]*mouse: ok/,
    stop: 'powered-off',
  },
  { name: 'disk.img', last: /disk: ok/, stop: 'powered-off' },
  { name: 'multiboot.bin', last: /multiboot: ok/, stop: 'powered-off' },
  { name: 'port-fuzz.img', parameter: 1000, last: /done, 1000 calls/, stop: 'powered-off' },
  { name: 'port-fuzz-ring3.img', parameter: 500, last: /done, 500 calls/, stop: 'powered-off' },
  { name: 'device-fuzz.img', parameter: 2000, last: /device-fuzz: done/, stop: 'powered-off' },
  { name: 'floppy.img', last: /floppy: done/, stop: 'powered-off' },
  { name: 'test-reset.img', last: /reset: boot 3/, stop: 'powered-off' },
  {
    name: 'test-halt.img',
    steps: [[1_000_000, (m) => m.reset()]],
    last: /halt: now[^]*halt: now/,
    stop: 'halted',
  },
  { name: 'test-series.img', parameter: 3, last: /series: done/, stop: 'powered-off', recordsItself: true },
  { name: 'dos.img', last: /dos: done/, stop: 'powered-off', recordsItself: true },
  {
    name: 'ports.img',
    steps: [
      [1_000_003, (m) => m.moveMouse(3, -2)],
      [2_000_005, (m) => m.moveMouse(0, 0, { buttons: ['left', 'right'] })],
    ],
    last: /ports: done/,
    stop: 'powered-off',
  },
  {
    name: 'keyboard.img',
    steps: [
      [300_001, (m) => m.typeKeys('Ab')],
      [5_000_003, (m) => m.pressKeys('ctrl-alt-delete')],
      [9_999_999, (m) => m.pressKeys('esc')],
    ],
    last: /keyboard: done, \d+ codes/,
    stop: 'powered-off',
  },
  {
    name: 'timer-echo.img',
    steps: [
      [250_007, (m) => m.typeSerial('ab\r')],
      [3_000_011, (m) => m.typeSerial('cdefghijklmnopqr\r'.replace('q', 'Q'))],
      [7_654_321, (m) => m.mark('half', 7)],
      [9_000_000, (m) => m.typeSerial('q')],
    ],
    last: /timer-echo: done, \d+ bytes, hash [0-9a-f]+/,
    stop: 'powered-off',
  },
  {
    name: 'demo.img',
    steps: [[60_000_000, (m) => m.typeKeys('42\n')]],
    last: /demo: power off/,
    stop: 'powered-off',
    recordsItself: true,
  },
];

interface Run {
  readonly stop: StopReason;
  readonly serial: string;
  readonly tick: number;
  readonly log: readonly string[];
  readonly file: string;
}

let runs = 0;

async function record(guest: Guest, sliceTicks: number | undefined, byHost = true): Promise<Run> {
  const folder = join(outDir, String(++runs));
  const machine = await boot(image(guest.name, guest.parameter), { outDir: folder, sliceTicks });
  let file = '';
  machine.on('recording', (event) => {
    if (event.state === 'stopped' && file === '') file = event.file;
  });
  if (byHost) await machine.startRecording({ name: 'whole run' });
  const stop = await drive(machine, guest.steps ?? [], END_TICK);
  const { serialText: serial, tick } = machine;
  await machine.close();
  return { stop, serial, tick, log: await logOf(file), file };
}

function slicesFor(ticks: number): (number | undefined)[] {
  if (ticks <= SHORT_TICKS) return [1, 7, 1000, undefined];
  return ticks <= MIDDLE_TICKS ? [7, 1000, undefined] : [1000, undefined];
}

async function replayed(file: string, sliceTicks: number | undefined): Promise<{ serial: string; digests: number }> {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  if (sliceTicks !== undefined) replay.sliceTicks = sliceTicks;
  expect(await replay.run(), `slices of ${sliceTicks}`).toEqual({ kind: 'end', reason: recording.endReason });
  expect(replay.tick).toBe(recording.endTick);
  const { serialText: serial, digests } = replay;
  await replay.close();
  await recording.close();
  return { serial, digests };
}

it('covers every bootable image', () => {
  const roms = ['boot-rom.asm', 'option-rom.asm'];
  const bootable = manifest().filter(({ source }) => !roms.includes(source) && !source.includes('guest-agent/'));
  expect(GUESTS.map(({ name }) => `built/${name}`).sort()).toEqual(bootable.map(({ output }) => output).sort());
});

describe.each(GUESTS)('$name', (guest) => {
  it('does the same however its execution is cut, and its recording replays the same however that is cut', async () => {
    const whole = await record(guest, undefined);
    expect(whole.stop.kind).toBe(guest.stop);
    expect(whole.serial).toMatch(guest.last);
    const slices = slicesFor(whole.tick);
    for (const sliceTicks of slices.slice(0, -1)) {
      const cut = await record(guest, sliceTicks);
      expect({ ...cut, file: '' }, `slices of ${sliceTicks}`).toEqual({ ...whole, file: '' });
    }
    const recording = await Recording.open(whole.file);
    const verified = await recording.verify();
    await recording.close();
    const digests = whole.log.filter((line) => line.includes('"entry":"digest"')).length;
    expect(digests).toBeGreaterThan(0);
    expect(verified).toEqual({ ok: true, ticks: whole.tick, digests });
    for (const sliceTicks of slices) {
      expect(await replayed(whole.file, sliceTicks)).toEqual({ serial: whole.serial, digests });
    }
  });

  if (guest.recordsItself) {
    it('records itself from the middle of its run, and that replays the same however it is cut', async () => {
      const whole = await record(guest, undefined, false);
      const recording = await Recording.open(whole.file);
      const { startTick, startedBy } = recording.meta;
      expect(startTick).toBeGreaterThan(0);
      expect(startedBy).toMatch(/^guest:ring[03]$/);
      expect(await recording.verify()).toMatchObject({ ok: true, ticks: recording.endTick - startTick });
      await recording.close();
      const first = await replayed(whole.file, undefined);
      expect(whole.serial).toContain(first.serial);
      for (const sliceTicks of slicesFor(whole.tick)) expect(await replayed(whole.file, sliceTicks)).toEqual(first);
      const cut = await record(guest, 1000, false);
      expect(cut.log).toEqual(whole.log);
    });
  }
});
