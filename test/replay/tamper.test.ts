import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CodedError, Recording, type Divergence } from '../../src/index.js';
import type { EntryOf, LogEntry } from '../../src/log/entries.js';
import type { StateSection } from '../../src/log/state-blocks.js';
import { boot, drive, image } from '../guests/guest.js';
import { rewrite, type Changes } from './rewrite.js';

const outDir = mkdtempSync(join(tmpdir(), 'tamper-'));
afterAll(() => rmSync(outDir, { recursive: true }));

/** A byte of the battery-backed memory that nobody uses, within its section. */
const CMOS_MEMORY_OFFSET = 100;

let copies = 0;
let echo: string;
let real16: string;

beforeAll(async () => {
  const typist = await boot(image('timer-echo.img'), { outDir });
  await typist.startRecording({ name: 'echo' });
  await drive(
    typist,
    [
      [1_000_000, (m) => m.typeSerial('abc\r')],
      [5_000_000, (m) => m.mark('between')],
      [6_000_000, (m) => m.typeSerial('def\r')],
      [9_000_000, (m) => m.mark('late')],
      [10_000_000, (m) => m.typeSerial('q')],
    ],
    100e6,
  );
  await typist.close();
  echo = join(outDir, 'echo.reel');
  const caller = await boot(image('real16.img'), { outDir });
  await caller.run();
  await caller.close();
  real16 = join(outDir, 'real16.reel');
});

async function open(file: string, changes: Changes): Promise<Recording> {
  const copy = join(outDir, `copy-${++copies}.reel`);
  await rewrite(file, copy, changes);
  return Recording.open(copy);
}

/** What verify says of a copy with changed entries, which is a valid file. */
async function divergence(file: string, entries: (entries: LogEntry[]) => LogEntry[]): Promise<Divergence> {
  const recording = await open(file, { entries });
  try {
    recording.reader.verify();
    const result = await recording.verify();
    if (result.ok) throw new Error('the change was not noticed');
    return result.divergence;
  } finally {
    await recording.close();
  }
}

async function problem(file: string, changes: Changes): Promise<CodedError> {
  const recording = await open(file, changes);
  try {
    const result = await recording.verify();
    throw new Error(`no error but ${JSON.stringify(result)}`);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  } finally {
    await recording.close();
  }
}

/** Changes the n-th entry that fits. */
function change<E extends LogEntry>(
  fits: (entry: LogEntry) => entry is E,
  n: number,
  by: (entry: E) => LogEntry[],
): (entries: LogEntry[]) => LogEntry[] {
  return (entries) => {
    let seen = 0;
    const changed = entries.flatMap((entry) => (fits(entry) && seen++ === n ? by(entry) : [entry]));
    expect(seen).toBeGreaterThan(n);
    return changed;
  };
}

const isInput = (entry: LogEntry): entry is EntryOf<'input'> => entry.entry === 'input' && entry.kind === 'serial';
const isAsk = (entry: LogEntry): entry is EntryOf<'ask'> => entry.entry === 'ask';
const isDigest = (entry: LogEntry): entry is EntryOf<'digest'> => entry.entry === 'digest';

async function entriesOf(file: string): Promise<LogEntry[]> {
  const recording = await Recording.open(file);
  const entries = [...recording.reader.cursor()];
  await recording.close();
  return entries;
}

it('a copy with nothing changed verifies', async () => {
  for (const file of [echo, real16]) {
    const recording = await open(file, {});
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  }
});

describe('a changed input', () => {
  it('is found at the next digest, with both sides and the last mark before it', async () => {
    const marks = (await entriesOf(echo)).filter((entry) => entry.entry === 'mark');
    for (const [n, tick, after] of [
      [0, marks[0].tick, 'between'],
      [1, marks[1].tick, 'late'],
      [2, (await entriesOf(echo)).at(-1)!.tick, 'late'],
    ] as const) {
      const found = await divergence(
        echo,
        change(isInput, n, (entry) => [{ ...entry, payload: Uint8Array.of(0, entry.payload[1] ^ 0x20) }]),
      );
      expect(found.after).toBe(after);
      if (n < 2) expect(found.tick).toBe(tick);
      expect(found.expected).not.toBe(found.actual);
      expect(found.what).not.toBe('');
    }
  });

  it('that is missing, or comes twice, is found', async () => {
    const without = await divergence(
      echo,
      change(isInput, 1, () => []),
    );
    expect(without.after).toBe('late');
    const twice = await divergence(
      echo,
      change(isInput, 1, (entry) => [entry, entry]),
    );
    expect(twice.after).toBe('late');
  });

  it('of a kind that the machine has no device for is an error', async () => {
    const error = await problem(echo, {
      entries: change(isInput, 0, ({ tick, payload }) => [{ entry: 'input', kind: 'frame', tick, payload }]),
    });
    expect(error).toMatchObject({ code: 'MISMATCH', message: expect.stringContaining('frame') });
  });
});

describe('a changed call of the backdoor port', () => {
  it('is found at its own tick when the request differs, and both requests are told', async () => {
    const asks = (await entriesOf(real16)).filter(isAsk);
    const n = asks.findIndex((ask) => Buffer.from(ask.request).includes('answer'));
    const found = await divergence(
      real16,
      change(isAsk, n, (entry) => {
        const request = entry.request.slice();
        request[Buffer.from(request).indexOf('answer')] ^= 2;
        return [{ ...entry, request }];
      }),
    );
    expect(found.tick).toBe(asks[n].tick);
    expect(found.what).toBe('request (backdoor)');
    expect(found.expected).toContain('MARK "cnswer" (EBX=2ah) by ring 0');
    expect(found.actual).toContain('MARK "answer" (EBX=2ah) by ring 0');
  });

  it('is found at the next digest when the answer differs', async () => {
    const asks = (await entriesOf(real16)).filter(isAsk);
    const n = asks.findIndex((ask) => Buffer.from(ask.request).includes('answer'));
    const found = await divergence(
      real16,
      change(isAsk, n, (entry) => {
        const answer = entry.answer.slice();
        answer[0] = 2;
        return [{ ...entry, answer }];
      }),
    );
    expect(found.tick).toBe(asks[n].tick + 1);
    expect(found.what).toContain('cpu');
  });

  it('that is missing is told with what the recording has instead', async () => {
    const asks = (await entriesOf(real16)).filter(isAsk);
    const found = await divergence(
      real16,
      change(isAsk, 1, () => []),
    );
    expect(found).toMatchObject({ tick: asks[1].tick, what: 'request (backdoor)' });
    expect(found.expected).not.toBe(found.actual);
  });

  it('that never comes is told as such', async () => {
    const found = await divergence(
      real16,
      change(isAsk, 1, (entry) => [entry, { ...entry, tick: entry.tick + 1 }]),
    );
    expect(found).toMatchObject({ what: 'request (backdoor)', actual: 'no request' });
  });

  it('whose answer makes no sense is an error', async () => {
    const error = await problem(real16, {
      entries: change(isAsk, 1, (entry) => [{ ...entry, answer: Uint8Array.of(0, 0xff, 1) }]),
    });
    expect(error.code).toBe('DAMAGED');
  });
});

describe('a changed course of events', () => {
  it('a digest that differs names the part of the machine', async () => {
    const found = await divergence(
      echo,
      change(isDigest, 0, (entry) => [{ ...entry, ram: entry.ram.map((byte) => byte ^ 1) }]),
    );
    expect(found).toMatchObject({ what: 'ram', after: 'between' });
    expect(found.expected).toMatch(/^\d+ written pages, [0-9a-f]{16}$/);
  });

  it('a machine that ends before the recording does', async () => {
    const end = (await entriesOf(echo)).at(-1)!;
    const found = await divergence(echo, (entries) =>
      entries.map((entry) => (entry.tick === end.tick ? { ...entry, tick: entry.tick + 100 } : entry)),
    );
    expect(found).toMatchObject({
      tick: end.tick,
      what: 'course of events',
      actual: 'machine stopped: powered-off',
    });
  });

  it('an end that comes too early', async () => {
    const end = (await entriesOf(echo)).at(-1)!;
    const found = await divergence(echo, (entries) =>
      entries
        .filter(({ tick, entry }) => tick < end.tick - 50 || entry === 'end' || entry === 'digest')
        .map((entry) => (entry.tick === end.tick ? { ...entry, tick: entry.tick - 50 } : entry)),
    );
    expect(found).toMatchObject({ tick: end.tick - 50, after: 'late' });
  });
});

describe('a changed start', () => {
  it('is found at the first digest', async () => {
    const sections = (all: StateSection[]): StateSection[] =>
      all.map((section) => {
        if (section.name !== 'cmos' || !('bytes' in section)) return section;
        const bytes = section.bytes.slice();
        bytes[CMOS_MEMORY_OFFSET] ^= 1;
        return { name: section.name, bytes };
      });
    const recording = await open(echo, { sections });
    expect(await recording.verify()).toMatchObject({
      ok: false,
      divergence: { tick: (await entriesOf(echo)).find(isDigest)!.tick, what: 'cmos' },
    });
    await recording.close();
  });

  it('of another machine is refused', async () => {
    const memory = await problem(echo, {
      meta: (meta) => ({ ...meta, machine: { ...meta.machine, memoryBytes: 8 * 1024 * 1024 } }),
    });
    expect(memory.code).toBe('MISMATCH');
    const cpu = await problem(echo, { meta: (meta) => ({ ...meta, cpuid: '{}' }) });
    expect(cpu.code).toBe('MISMATCH');
    const ports = await problem(echo, {
      meta: (meta) => ({ ...meta, machine: { ...meta.machine, serialPorts: 1 } }),
    });
    expect(ports.code).toBe('MISMATCH');
    const clock = await problem(echo, {
      meta: (meta) => ({ ...meta, machine: { ...meta.machine, nsPerTick: 5 } }),
    });
    expect(clock.code).toBe('DAMAGED');
  });

  it('with a section too many, or one too few, is refused', async () => {
    const more = await problem(echo, {
      sections: (sections) => [...sections, { name: 'floppy', bytes: new Uint8Array(4) }],
    });
    expect(more).toMatchObject({ code: 'MISMATCH', message: expect.stringContaining('floppy') });
    const fewer = await problem(echo, { sections: (sections) => sections.filter(({ name }) => name !== 'pic') });
    expect(fewer).toMatchObject({ code: 'MISMATCH', message: expect.stringContaining('pic') });
    const noRam = await problem(echo, { sections: (sections) => sections.filter(({ name }) => name !== 'ram') });
    expect(noRam.code).toBe('MISMATCH');
  });
});

describe('a changed file', () => {
  it('is damaged', async () => {
    const bytes = readFileSync(echo);
    bytes[bytes.length >> 1] ^= 0x10;
    const copy = join(outDir, 'damaged.reel');
    writeFileSync(copy, bytes);
    const result = await Recording.open(copy)
      .then((recording) => recording.verify())
      .catch((error: unknown) => error);
    expect(result).toMatchObject({ code: 'DAMAGED', where: expect.stringContaining(`${copy}: offset`) });
  });

  it('of another format version is refused', async () => {
    const bytes = readFileSync(echo);
    const at = bytes.indexOf('version') + 'version'.length + 4;
    expect(bytes[at]).toBe(0x31);
    bytes[at] = 0x32;
    const copy = join(outDir, 'newer.reel');
    writeFileSync(copy, bytes);
    await expect(Recording.open(copy)).rejects.toMatchObject({
      code: 'VERSION',
      message: expect.stringContaining('2'),
      where: expect.stringContaining('newer.reel'),
    });
  });
});
