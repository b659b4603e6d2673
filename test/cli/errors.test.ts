import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { temporaryFolder } from './recordings.js';
import { desk, NO_LIBRARY } from './run-cli.js';
import { schemaErrors } from './schema.js';

const GOLDEN = fileURLToPath(new URL('../fixtures/1/golden.reel', import.meta.url));
const golden = readFileSync(GOLDEN);

function damaged(length: number): string {
  const file = join(temporaryFolder(), 'cut.reel');
  writeFileSync(file, golden.subarray(0, length));
  return file;
}

describe('a wrong command line', () => {
  it.each<[string, string[], string]>([
    ['an unknown verb', ['bogus'], "unknown command 'bogus'"],
    ['an unknown option', ['info', '--bogus', GOLDEN], "unknown option '--bogus'"],
    ['a missing argument', ['info'], "missing required argument 'file'"],
    ['too many arguments', ['info', GOLDEN, GOLDEN], 'too many arguments'],
    ['an option without its argument', ['run', '-kernel'], "'--kernel <file>' argument missing"],
    ['nothing to boot', ['run'], 'there is nothing to boot (give an IMAGE, a drive such as --hda, --kernel or --bios)'],
    ['an initrd without a kernel', ['run', 'image', '-initrd', 'x'], '--initrd needs a kernel'],
    ['a format that does not exist', ['export', GOLDEN, '--as', 'pdf'], '"pdf" is not a value that --as takes'],
    [
      'no format',
      ['export', GOLDEN],
      '--as is missing (one of trace, junit, serial, pcapng, json, overlay, core, lime)',
    ],
    ['a serial port that does not exist', ['run', 'x', '-serial', 'tcp:1'], 'stdio, file:NAME or none'],
    ['two consoles', ['run', 'x', '-serial', 'stdio', '-serial', 'stdio'], 'two serial ports at standard input'],
    ['a fifth serial port', ['run', 'x', ...Array<string>(5).fill('--serial=none')], 'up to 4'],
    ['a printer on the console', ['run', 'x', '-parallel', 'stdio'], 'file:NAME or none'],
    ['a display that does not exist', ['run', 'x', '-display', 'gtk'], 'text or none'],
    ['an icount beyond 10', ['run', 'x', '-icount', 'shift=11'], 'N from 0 to 10'],
    ['a local clock', ['run', 'x', '-rtc', 'base=localtime'], 'base=utc'],
    ['two clocks', ['run', 'x', '-rtc', 'base=utc', '-epoch', '0'], 'set the same thing'],
    ['a time that is none', ['run', 'x', '-epoch', 'yesterday'], 'which is UTC'],
    ['a regular expression that is none', ['run', 'x', '-until-serial', '('], 'is not a regular expression'],
    ['a count that is none', ['run', 'x', '-timeout-ticks', '1.5'], 'a whole number'],
    ['a place that is none', ['replay', GOLDEN, '-until', 'mark:'], 'a tick, mark:LABEL or end'],
    ['live options without --live', ['replay', GOLDEN, '-record', 'x'], '--record is about a live machine'],
    ['pacing without --live', ['replay', GOLDEN, '-no-pacing'], '--no-pacing is about a live machine'],
    ['an option of QEMU', ['run', 'x', '-smp', '4'], '-smp is an option of QEMU'],
  ])('%s is a USAGE error in one line', async (_what, argv, message) => {
    const at = desk();
    expect(await at.run(argv)).toBe(2);
    expect(at.stdout.text).toBe('');
    expect(at.stderr.text).toContain(message);
    expect(at.stderr.text).toMatch(/^reel: [^\n]+\n$/);
  });

  it('without a word shows help on standard error', async () => {
    const at = desk();
    expect(await at.run([])).toBe(2);
    expect(at.stdout.text).toBe('');
    expect(at.stderr.text).toContain('Usage: reel');
  });

  it('is not --help or --version, which write to standard output', async () => {
    const at = desk();
    expect(await at.run(['run', '--help'])).toBe(0);
    expect(at.stdout.text).toContain('--kernel <file>');
    expect(await at.run(['--version'])).toBe(0);
    expect(at.stdout.text).toMatch(/\d+\.\d+\.\d+\n$/);
    expect(await at.run(['policy', 'check', '--help'])).toBe(0);
    expect(at.stderr.text).toBe('');
  });
});

describe('a bad file', () => {
  it.each(['info', 'marks', 'recover'])('reel %s says which one is missing', async (verb) => {
    const at = desk();
    expect(await at.run([verb, '/nowhere/x.reel'])).toBe(11);
    expect(at.stderr.text).toContain('/nowhere/x.reel');
  });

  it('truncated anywhere is DAMAGED, with the place and what to do', async () => {
    for (const length of [0, 7, 100, 1000, golden.length >> 1, golden.length - 1]) {
      const [at, file] = [desk(), damaged(length)];
      expect(await at.run(['info', file]), `${length} bytes`).toBe(4);
      expect(at.stderr.text).toContain(`${file}: offset `);
      expect(at.stderr.text).toContain(`(reel recover ${file} saves what is whole)`);
      expect(at.stdout.text).toBe('');
    }
  });

  it('of another format version is VERSION', async () => {
    const file = join(temporaryFolder(), 'new.reel');
    const bytes = Buffer.from(golden);
    // The value of the metadata record that tells the version, with its length before it.
    bytes[bytes.indexOf(Buffer.from('version\x01\x00\x00\x001')) + 11] = 0x39;
    writeFileSync(file, bytes);
    expect(await desk().run(['info', file])).toBe(5);
  });

  it('that cannot be written is HOST_IO', async () => {
    const at = desk();
    expect(await at.run(['export', GOLDEN, '--as', 'serial', '-o', '/nowhere/out'])).toBe(11);
    expect(at.stderr.text).toContain('/nowhere/out');
  });
});

describe('reel recover', () => {
  it('saves what is whole of a truncated recording, under a new name each time', async () => {
    const file = damaged(golden.indexOf('application/vnd.guestreel.chain'));
    const at = desk();
    expect(await at.run(['recover', file])).toBe(0);
    const saved = at.stdout.text.trim();
    expect(saved).toBe(file.replace('.reel', '-recovered.reel'));
    const again = desk();
    expect(await again.run(['recover', file, '--json'])).toBe(0);
    const report = JSON.parse(again.stdout.text) as { file: string };
    expect(schemaErrors('cli-recover', report)).toEqual([]);
    expect(report).toMatchObject({ source: file, hadEnd: true, endTick: 60_000_000_000 });
    expect(report.file).toBe(file.replace('.reel', '-recovered-2.reel'));
    expect(await desk().run(['info', saved])).toBe(0);
  });

  it('ends a recording that was cut off at its last whole entry', async () => {
    const file = damaged(golden.length >> 1);
    const out = `${file}.out`;
    const at = desk();
    expect(await at.run(['recover', file, '-o', out])).toBe(0);
    expect(at.stderr.text).toMatch(/saved \d+ entries, to tick \d+/);
    const info = desk();
    expect(await info.run(['info', out, '--json'])).toBe(0);
    expect(JSON.parse(info.stdout.text)).toMatchObject({ end: { reason: 'recovered' } });
  });

  it('finds nothing wrong with a recording that is whole', async () => {
    const at = desk();
    expect(await at.run(['recover', GOLDEN, '-o', join(temporaryFolder(), 'x.reel'), '--json'])).toBe(0);
    expect(JSON.parse(at.stdout.text)).toMatchObject({ problem: null, hadEnd: true });
  });

  it('never overwrites, and leaves nothing where nothing can be saved', async () => {
    const file = damaged(200);
    expect(await desk().run(['recover', GOLDEN, '-o', file])).toBe(11);
    expect(await desk().run(['recover', file])).toBe(4);
    expect(readdirSync(join(file, '..'))).toEqual(['cut.reel']);
    expect(existsSync(`${file}.out`)).toBe(false);
  });
});

describe('an unexpected exception', () => {
  const broken = { ...NO_LIBRARY, openRecording: () => Promise.reject(new TypeError('x is not a function')) };

  it('is one line that owns up to the bug, and exit code 1', async () => {
    const at = desk();
    expect(await at.run(['verify', 'x'], broken)).toBe(1);
    expect(at.stderr.text).toBe(
      'reel: TypeError: x is not a function: this is a bug in guestreel (REEL_DEBUG=1 shows where)\n',
    );
  });

  it('shows its stack with REEL_DEBUG=1', async () => {
    const at = desk([], { REEL_DEBUG: '1' });
    expect(await at.run(['verify', 'x'], broken)).toBe(1);
    expect(at.stderr.text).toContain('errors.test.ts');
  });
});

it('each class of error ends with its exit code', async () => {
  const codes = { DENIED: 8, STATE: 9, MISSING_IMAGE: 6, MISMATCH: 7, CONFIG: 10, VERSION: 5 } as const;
  for (const [name, code] of Object.entries(codes)) {
    const error = new CodedError(name as keyof typeof codes, 'something is wrong');
    const library = { ...NO_LIBRARY, createMachine: () => Promise.reject(error) };
    expect(await desk().run(['run', 'image'], library), name).toBe(code);
  }
});
