import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CodedError, Machine, Recording, type MachineEvents } from '../../src/index.js';
import { boot, image } from './guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'machine-'));
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

describe('a machine runs', () => {
  it('until its serial port has said something, exactly, and from there on', async () => {
    const machine = await boot(image('disk.img'), { outDir });
    expect(await machine.run({ until: { serial: /boot \d/ } })).toEqual({ kind: 'matched', what: 'serial' });
    expect(machine.serialText).toBe('disk: boot 1');
    expect(await machine.run({ until: { serial: /boot \d/ } })).toEqual({ kind: 'matched', what: 'serial' });
    expect(machine.serialText).toMatch(/boot 2$/);
    expect(await machine.run({ until: { serial: /never/ } })).toEqual({ kind: 'powered-off' });
    await machine.close();
  });

  it('until what it has said already, once', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    await machine.run({ until: { ticks: 1_000_000 } });
    const { tick } = machine;
    expect(await machine.run({ until: { serial: /ready/ } })).toEqual({ kind: 'matched', what: 'serial' });
    expect(machine.tick).toBe(tick);
    expect(await machine.run({ until: { serial: /ready/, ticks: tick + 10 } })).toMatchObject({ what: 'ticks' });
    await machine.close();
  });

  it('until a tick, exactly, and not at all for one that has passed', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    for (const ticks of [1, 2, 77_777, 4_000_001]) {
      expect(await machine.run({ until: { ticks } })).toEqual({ kind: 'matched', what: 'ticks' });
      expect(machine.tick).toBe(ticks);
    }
    expect(await machine.run({ until: { ticks: 5 } })).toEqual({ kind: 'matched', what: 'ticks' });
    expect(machine.tick).toBe(4_000_001);
    await machine.close();
  });

  it('until its screen shows something, at the same tick every time', async () => {
    const ticks: number[] = [];
    for (const sliceTicks of [undefined, 1000]) {
      const machine = await boot(image('demo.img'), { outDir, sliceTicks });
      expect(await machine.run({ until: { screen: /six times seven/ } })).toEqual({ kind: 'matched', what: 'screen' });
      expect(machine.screenText()).toContain('quiz: what is six times seven?');
      ticks.push(machine.tick);
      await machine.close();
    }
    expect(ticks[0]).toBe(ticks[1]);
  });

  it('until a mark or the beginning of a phase, exactly', async () => {
    const machine = await boot(image('demo.img'), { outDir });
    const seen: number[] = [];
    machine.on('phase', ({ name, type, tick }) => {
      if (name === 'sort' && type === 'begin') seen.push(tick);
    });
    expect(await machine.run({ until: { mark: 'sort' } })).toEqual({ kind: 'matched', what: 'mark' });
    expect(seen).toEqual([machine.tick]);
    await machine.close();
  });

  it('until it is interrupted, and reports how far it is', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    const controller = new AbortController();
    const ticks: number[] = [];
    const stop = await machine.run({
      signal: controller.signal,
      onProgress: (tick) => {
        ticks.push(tick);
        if (ticks.length === 3) controller.abort();
      },
    });
    expect(stop).toEqual({ kind: 'interrupted' });
    expect(ticks).toHaveLength(3);
    const { tick } = machine;
    expect(await machine.run({ signal: controller.signal })).toEqual({ kind: 'interrupted' });
    expect(machine.tick).toBe(tick);
    await machine.close();
  });

  it('at most once at a time, and not when it is closed', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    const controller = new AbortController();
    const running = machine.run({ signal: controller.signal });
    await expect(machine.run()).rejects.toMatchObject({ code: 'STATE' });
    controller.abort();
    await running;
    await machine.close();
    await machine.close();
    await expect(machine.run()).rejects.toMatchObject({ code: 'STATE' });
  });
});

describe('a machine ends', () => {
  it.each([
    ['hello-serial.img', { kind: 'powered-off' }],
    ['real16.img', { kind: 'exit', code: 3 }],
    ['triple-fault.img', { kind: 'triple-fault' }],
    ['test-halt.img', { kind: 'halted' }],
  ] as const)('%s', async (name, reason) => {
    const machine = await boot(image(name), { outDir });
    expect(await machine.run()).toEqual(reason);
    const { tick } = machine;
    expect(await machine.run({ until: { ticks: tick + 1000 } })).toEqual(reason);
    expect(machine.tick).toBe(tick);
    await machine.close();
  });

  it('and takes its recording with it', async () => {
    const machine = await boot(image('triple-fault.img'), { outDir });
    await machine.startRecording({ name: 'fault' });
    await machine.run();
    expect(machine.recording).toBeNull();
    await expect(machine.stopRecording()).rejects.toMatchObject({ code: 'STATE' });
    await machine.close();
    const recording = await Recording.open(join(outDir, 'fault.reel'));
    expect(recording.endReason).toBe('triple-fault');
    expect(recording.endTick).toBe(machine.tick);
    await recording.close();
  });

  it('unless it only halted: a reset wakes it, and both are part of the recording', async () => {
    const machine = await boot(image('test-halt.img'), { outDir });
    await machine.startRecording({ name: 'halted' });
    expect(await machine.run()).toEqual({ kind: 'halted' });
    expect(machine.recording).not.toBeNull();
    machine.typeSerial('no interrupt comes of it');
    machine.powerButton();
    expect(await machine.run({ until: { ticks: 1e6 } })).toEqual({ kind: 'halted' });
    machine.reset();
    await machine.mark('reset');
    expect(await machine.run()).toEqual({ kind: 'halted' });
    expect(machine.serialText.match(/halt: now/g)).toHaveLength(2);
    await machine.close();
    const recording = await Recording.open(join(outDir, 'halted.reel'));
    expect(recording.endReason).toBe('closed');
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  });
});

describe('a disk that nothing can be booted from', () => {
  it.each([
    ['with nothing in its boot sector', new Uint8Array(1_474_560)],
    ['without the signature of a hard disk', new Uint8Array(4_000_000).fill(0x90, 0, 510)],
  ])('%s is what the firmware tells of, as on a PC', async (_what, bootImage) => {
    const machine = await Machine.create({ memory: '4M', epoch: 0, outDir, bootImage });
    await machine.run({ until: { screen: /No bootable disk/, ticks: 100e6 } });
    expect(machine.screenText()).toContain('No bootable disk.');
    await machine.close();
  });
});

describe('a machine shows', () => {
  it('its registers and memory', async () => {
    const machine = await boot(image('triple-fault.img'), { outDir });
    expect(machine.registers()).toMatchObject({ eip: 0xfff0, cs: 0xf000, cr0: 0x60000010 });
    const { bytes } = { bytes: image('triple-fault.img') };
    await machine.run({ until: { serial: /now/ } });
    const registers = machine.registers();
    expect(registers).toMatchObject({ cs: 8, ds: 0x10, ss: 0x10, cr3: 0 });
    expect(registers.cr0 & 1).toBe(1);
    expect(registers.eip).toBeGreaterThan(0x7c00);
    expect(machine.readMemory(0x7c00, 60)).toEqual(bytes.slice(0, 60));
    expect(machine.readMemory(0xffff_fff0, 5)).toEqual(machine.readMemory(0xffff0, 5));
    // Nothing is there: beyond RAM, and around the end of the address space.
    expect(machine.readMemory(0x8000_0000, 3)).toEqual(new Uint8Array(3));
    expect(machine.readMemory(0xffff_ffff, 2)[1]).toBe(machine.readMemory(0, 1)[0]);
    await machine.close();
  });

  it('what it sends, to every listener, and to none that has left', async () => {
    const machine = await boot(image('hello-serial.img'), { outDir });
    const heard: [number, string][] = [];
    const leave = machine.onSerial(() => heard.push([9, 'left']));
    leave();
    machine.onSerial((bytes, port) => heard.push([port, String.fromCharCode(...bytes)]));
    await machine.run();
    expect(heard.map(([, text]) => text).join('')).toBe(machine.serialText);
    expect(new Set(heard.map(([port]) => port))).toEqual(new Set([0]));
    await machine.close();
  });

  it('what happens in it, as events', async () => {
    const machine = await boot(image('demo.img'), { outDir });
    const seen: [string, ...unknown[]][] = [];
    machine
      .on('recording', ({ state, name, reason }) => seen.push(['recording', state, name, reason]))
      .on('phase', ({ type, name, id }) => seen.push(['phase', type, name, id]))
      .on('verdict', ({ name, verdict }) => seen.push(['verdict', name, verdict]))
      .on('log', ({ by }) => seen.push(['log', by]));
    const denied: MachineEvents['denied'][] = [];
    const files: string[] = [];
    machine.on('denied', (event) => denied.push(event)).on('recording', ({ file }) => files.push(file));
    await machine.run({ until: { screen: /seven\?/ } });
    machine.typeKeys('41\n');
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    expect(seen.filter(([kind]) => kind !== 'log')).toEqual([
      ['recording', 'started', 'demo', 'guest:ring0'],
      ['phase', 'begin', 'count', 1],
      ['phase', 'end', 'count', 1],
      ['phase', 'begin', 'sort', 2],
      ['phase', 'end', 'sort', 2],
      ['phase', 'begin', 'quiz', 3],
      ['phase', 'end', 'quiz', 3],
      ['verdict', 'quiz', 'fail'],
      ['recording', 'stopped', 'demo', 'guest:ring0'],
    ]);
    expect(denied).toEqual([expect.objectContaining({ principal: 'guest:ring0', action: 'start' })]);
    await machine.close();
    const recording = await Recording.open(files[1]);
    expect(recording.phases.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['count', null],
      ['sort', null],
      ['quiz', 'fail'],
    ]);
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  });
});

describe('recording from the host', () => {
  it('goes one at a time, with marks, and is ended by close()', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    const seen: MachineEvents['mark'][] = [];
    machine.on('mark', (event) => seen.push(event));
    await machine.mark('before');
    const id = await machine.startRecording({ name: 'host', reason: 'a test' });
    expect(machine.recording).toEqual({ id, name: 'host', file: join(outDir, 'host.reel') });
    await expect(machine.startRecording({ name: 'again' })).rejects.toMatchObject({ code: 'STATE' });
    await machine.run({ until: { ticks: 12_345 } });
    await machine.mark('here', 42);
    await expect(machine.mark('bad', -1)).rejects.toMatchObject({ code: 'USAGE' });
    await machine.run({ until: { ticks: 50_000 } });
    await machine.close();
    expect(seen).toEqual([
      { label: 'before', value: 0, tick: 0, by: 'host:user' },
      { label: 'here', value: 42, tick: 12_345, by: 'host:user' },
    ]);
    const recording = await Recording.open(join(outDir, 'host.reel'));
    expect(recording.meta).toMatchObject({
      recordingId: id,
      name: 'host',
      reason: 'a test',
      startedBy: 'host:user',
      startTick: 0,
      nsPerTick: 4,
    });
    expect(recording.marks).toEqual([{ type: 'mark', label: 'here', value: 42, tick: 12_345 }]);
    expect([recording.endTick, recording.endReason]).toEqual([50_000, 'closed']);
    expect(await recording.verify()).toMatchObject({ ok: true, ticks: 50_000 });
    await recording.close();
    expect(readdirSync(outDir).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('starts and stops anywhere, any number of times', async () => {
    const machine = await boot(image('disk.img'), { outDir });
    const files: string[] = [];
    for (let tick = 3; (await machine.run({ until: { ticks: tick } })).kind === 'matched'; tick += 9_973) {
      if (machine.recording !== null) files.push(await machine.stopRecording());
      await machine.startRecording({ name: 'piece' });
    }
    await machine.close();
    expect(files.length).toBeGreaterThan(15);
    let end = 3;
    for (const file of files) {
      const recording = await Recording.open(file);
      expect(recording.meta.startTick).toBe(end);
      end = recording.endTick;
      expect(await recording.verify()).toMatchObject({ ok: true, ticks: 9_973 });
      await recording.close();
    }
  });

  it('keeps pace with the clock on the wall when asked to, and that replays as well', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir, pacing: true });
    const begun = performance.now();
    await machine.startRecording({ name: 'paced' });
    // A reset while time stands still between two slices.
    const typing = setInterval(() => {
      machine.typeSerial('x');
      if (machine.tick > 20e6 && machine.tick < 25e6) machine.reset();
      void machine.mark('typed');
    }, 7);
    await machine.run({ until: { ticks: 50e6 } });
    clearInterval(typing);
    expect(performance.now() - begun).toBeGreaterThan(195);
    await machine.close();
    const recording = await Recording.open(join(outDir, 'paced.reel'));
    expect(await recording.verify()).toMatchObject({ ok: true, ticks: 50e6 });
    await recording.close();
  });
});

describe('what makes no sense', () => {
  it('is refused with a coded error', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    expect(codeOf(() => machine.typeSerial('x', 2))).toBe('USAGE');
    expect(codeOf(() => machine.typeSerial('x', -1))).toBe('USAGE');
    expect(codeOf(() => machine.typeKeys('\u4e00'))).toBe('USAGE');
    expect(codeOf(() => machine.pressKeys('ctrl-nothing'))).toBe('USAGE');
    await machine.close();
    const bytes = image('timer-echo.img');
    for (const options of [
      {},
      { bootImage: bytes, memory: '1M' },
      { bootImage: bytes, memory: 'much' },
      { bootImage: bytes, nsPerTick: 0 },
      { bootImage: bytes, epoch: -1 },
      { bootImage: new Uint8Array(0) },
      { bootImage: bytes, initrd: bytes },
      { kernel: bytes },
    ]) {
      await expect(Machine.create(options)).rejects.toMatchObject({ code: 'USAGE' });
    }
    await expect(Machine.create({ bootImage: join(outDir, 'none.img') })).rejects.toMatchObject({ code: 'HOST_IO' });
    await expect(Machine.create({ bootImage: bytes, policy: join(outDir, 'none.json') })).rejects.toMatchObject({
      code: 'HOST_IO',
    });
    await expect(Recording.open(join(outDir, 'none.reel'))).rejects.toMatchObject({ code: 'HOST_IO' });
  });
});
