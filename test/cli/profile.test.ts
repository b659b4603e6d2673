import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { collapsedStacks, cpuProfile } from '../../src/cli/profile-file.js';
import { Symbols } from '../../src/cli/symbols.js';
import { Recording } from '../../src/index.js';
import { boot, image } from '../guests/guest.js';
import { ROOT } from '../tidy/sources.js';

const outDir = mkdtempSync(join(tmpdir(), 'profile-'));
afterAll(() => rmSync(outDir, { recursive: true }));

const EVERY = 997;
const NO_SYMBOLS = new Symbols([]);

describe('a profile', () => {
  it('adds up, tells idle time, is the same every time and changes nothing', async () => {
    const plain = await boot(image('timer-echo.img'), { outDir });
    await plain.run({ until: { ticks: 3_000_000 } });
    const texts: string[] = [];
    for (const sliceTicks of [undefined, 313]) {
      const machine = await boot(image('timer-echo.img'), { outDir, sliceTicks });
      const profile = machine.startProfile({ everyTicks: EVERY });
      await machine.run({ until: { ticks: 3_000_000 } });
      expect(machine.registers()).toEqual(plain.registers());
      const text = collapsedStacks(profile, NO_SYMBOLS);
      const ticks = [...text.matchAll(/ (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
      expect(ticks).toBe(Math.floor(3_000_000 / EVERY) * EVERY);
      expect(text).toMatch(/^idle \d+$/m);
      expect(text).toMatch(/^(kernel|real mode);0x[0-9a-f]+(;0x[0-9a-f]+)* \d+$/m);
      texts.push(text);
      await machine.close();
    }
    expect(texts[1]).toBe(texts[0]);
    await plain.close();
  });

  it('is that of the recorded run when it is made in a replay', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    await machine.startRecording({ name: 'profiled' });
    const live = machine.startProfile({ everyTicks: EVERY });
    await machine.run({ until: { ticks: 2_000_000 } });
    const recording = await Recording.open(await machine.stopRecording());
    await machine.close();
    const replay = await recording.replay();
    const replayed = replay.startProfile({ everyTicks: EVERY });
    expect((await replay.run()).kind).toBe('end');
    expect(collapsedStacks(replayed, NO_SYMBOLS)).toBe(collapsedStacks(live, NO_SYMBOLS));
    await replay.close();
    await recording.close();
  });

  it('becomes a file that viewers open', async () => {
    const machine = await boot(image('timer-echo.img'), { outDir });
    const profile = machine.startProfile({ everyTicks: EVERY });
    await machine.run({ until: { ticks: 1_000_000 } });
    await machine.close();
    const file = JSON.parse(cpuProfile(profile, NO_SYMBOLS)) as {
      nodes: { id: number; hitCount: number; children: number[] }[];
      samples: number[];
      timeDeltas: number[];
      startTime: number;
      endTime: number;
    };
    const ids = file.nodes.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(file.samples).toHaveLength(Math.floor(1_000_000 / EVERY));
    expect(file.timeDeltas).toHaveLength(file.samples.length);
    expect(file.samples.every((id) => ids.includes(id))).toBe(true);
    expect(file.nodes.flatMap(({ children }) => children).sort()).toEqual(ids.slice(1).sort());
    expect(file.nodes.reduce((sum, { hitCount }) => sum + hitCount, 0)).toBe(file.samples.length);
    expect(file.endTime - file.startTime).toBe(file.timeDeltas.reduce((sum, delta) => sum + delta, 0));
  });

  it('is written by reel run and reel replay', () => {
    const reel = (...words: string[]): void =>
      void execFileSync(process.execPath, [`${ROOT}dist/cli/main.js`, ...words], { cwd: outDir, stdio: 'pipe' });
    const demo = `${ROOT}guest-images/built/timer-echo.img`;
    reel(
      'run',
      demo,
      '--record',
      'cli',
      '--profile',
      'run.txt',
      '--serial',
      'none',
      '--until-serial',
      'ready',
      '--no-pacing',
    );
    reel('replay', 'recordings/cli.reel', '--profile', 'replay.cpuprofile');
    reel('replay', 'recordings/cli.reel', '--profile', 'replay.txt');
    expect(readFileSync(join(outDir, 'replay.txt'), 'utf8')).toBe(readFileSync(join(outDir, 'run.txt'), 'utf8'));
    expect(JSON.parse(readFileSync(join(outDir, 'replay.cpuprofile'), 'utf8'))).toHaveProperty('nodes');
  });
});

describe('symbols', () => {
  it('are found in System.map', () => {
    const map = 'c1000000 T _text\nc1000040 t start_kernel\nc1000080 D data\n00000000c2000000 T far\n';
    const symbols = Symbols.parse(new TextEncoder().encode(map), 'System.map');
    expect(symbols.nameOf(0xc100_0000)).toBe('_text');
    expect(symbols.nameOf(0xc100_003f)).toBe('_text');
    expect(symbols.nameOf(0xc100_0090)).toBe('start_kernel');
    expect(symbols.nameOf(0xc200_0000)).toBe('far');
    expect(symbols.nameOf(0xc1f0_0000)).toBe('0xc1f00000');
    expect(symbols.nameOf(0x1000)).toBe('0x1000');
  });

  it('are found in an ELF file, and a damaged one is an error', () => {
    const elf = new Uint8Array(readFileSync(`${ROOT}guest-images/built/reel`));
    for (let cut = 0; cut < elf.length; cut += 97) {
      try {
        Symbols.parse(elf.subarray(0, cut), 'reel');
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFIG', where: 'reel' });
      }
    }
    const symbols = Symbols.parse(elfWith([{ address: 0x8048000, name: 'main', kind: 2 }]), 'x');
    expect(symbols.nameOf(0x8048010)).toBe('main');
    expect(() => Symbols.parse(elfWith([{ address: 0x8048000, name: 'variable', kind: 1 }]), 'x')).toThrow(
      'no symbols',
    );
  });
});

/** A 32-bit ELF file that has a symbol table and nothing else. */
function elfWith(symbols: readonly { address: number; name: string; kind: number }[]): Uint8Array {
  const names = Buffer.from(`\0${symbols.map(({ name }) => `${name}\0`).join('')}`);
  const table = Buffer.alloc(16 * symbols.length);
  let name = 1;
  symbols.forEach((symbol, i) => {
    table.writeUInt32LE(name, 16 * i);
    table.writeUInt32LE(symbol.address, 16 * i + 4);
    table[16 * i + 12] = symbol.kind;
    name += symbol.name.length + 1;
  });
  const header = Buffer.alloc(52);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(header);
  header.writeUInt32LE(52, 32);
  header.writeUInt16LE(40, 46);
  header.writeUInt16LE(2, 48);
  const sections = Buffer.alloc(80);
  const namesAt = 52 + 80;
  sections.writeUInt32LE(3, 4);
  sections.writeUInt32LE(namesAt, 16);
  sections.writeUInt32LE(names.length, 20);
  sections.writeUInt32LE(2, 44);
  sections.writeUInt32LE(namesAt + names.length, 56);
  sections.writeUInt32LE(table.length, 60);
  return new Uint8Array(Buffer.concat([header, sections, names, table]));
}
