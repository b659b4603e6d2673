import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import type { Library } from '../../src/cli/library.js';
import type { MachineOptions } from '../../src/harness/launch.js';
import { FakeMachine, forever, stops, type Turn } from './fake-machine.js';
import { temporaryFolder } from './recordings.js';
import { desk, NO_LIBRARY } from './run-cli.js';

const OFF: Turn = stops({ kind: 'powered-off' });

function libraryOf(machine: FakeMachine): Library & { options: MachineOptions | null } {
  const library = {
    ...NO_LIBRARY,
    options: null as MachineOptions | null,
    createMachine: async (options: MachineOptions) => {
      library.options = options;
      return machine;
    },
  };
  return library;
}

/** Waits for what a test makes happen. */
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await after(5);
  expect(condition()).toBe(true);
}

describe('reel run', () => {
  it("takes QEMU's command line", async () => {
    const library = libraryOf(new FakeMachine([OFF]));
    const argv =
      'run -m 64M -kernel bz -initrd rd -append a=b -nographic -icount shift=3 -rtc base=2000-01-01 -out dir';
    expect(await desk().run(argv.split(' '), library)).toBe(0);
    expect(library.options).toMatchObject({
      memory: '64M',
      kernel: 'bz',
      initrd: 'rd',
      append: 'a=b',
      nsPerTick: 8,
      epoch: 946_684_800,
      outDir: 'dir',
      pacing: true,
    });
  });

  it('leaves what is not said to the library, and keeps pace unless told otherwise', async () => {
    const library = libraryOf(new FakeMachine([OFF]));
    await desk().run(['run', 'disk.img', '--no-pacing'], library);
    expect(library.options).toMatchObject({ bootImage: 'disk.img', pacing: false });
    expect(library.options!.memory ?? library.options!.nsPerTick ?? library.options!.epoch).toBeUndefined();
  });

  it.each([
    [{ kind: 'powered-off' }, 0],
    [{ kind: 'exit', code: 0 }, 0],
    [{ kind: 'exit', code: 5 }, 5],
    [{ kind: 'exit', code: 0x183 }, 3],
    [{ kind: 'triple-fault' }, 12],
    [{ kind: 'matched', what: 'serial' }, 0],
    [{ kind: 'matched', what: 'ticks' }, 124],
  ] as const)('%o ends it with exit code %i, and the machine closed', async (stop, code) => {
    const machine = new FakeMachine([stops(stop)]);
    expect(await desk().run(['run', 'image'], libraryOf(machine))).toBe(code);
    expect(machine.done).toEqual(['run', 'close']);
  });

  it('writes what COM1 sends to standard output, and all else to standard error', async () => {
    const machine = new FakeMachine([
      async (m) => {
        m.send('hello\xff');
        m.send('COM2', 1);
        m.emit('verdict', { name: 'net\x1b', verdict: 'fail', tick: 1, by: 'guest:ring3' });
        return { kind: 'powered-off' };
      },
    ]);
    const at = desk();
    await at.run(['run', 'image'], libraryOf(machine));
    expect([...at.stdout.bytes]).toEqual([...Buffer.from('hello'), 0xff]);
    expect(at.stderr.text).toContain('reel: fail "net\\x1b"\n');
    expect(at.stderr.text).toContain('the machine powered off');
  });

  it('writes COM1 to a file', async () => {
    const file = join(temporaryFolder(), 'serial.txt');
    const machine = new FakeMachine([
      async (m) => {
        m.send('to the file');
        return { kind: 'powered-off' };
      },
    ]);
    const at = desk();
    expect(await at.run(['run', 'image', '-serial', `file:${file}`], libraryOf(machine))).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe('to the file');
    expect(at.stdout.text).toBe('');
  });

  it('has up to four serial ports and a printer, each with a place of its own', async () => {
    const folder = temporaryFolder();
    const [first, third, page] = ['one', 'three', 'page'].map((name) => join(folder, name)) as [string, string, string];
    const machine = new FakeMachine([
      async (m) => {
        ['a', 'b', 'c', 'd'].forEach((text, port) => m.send(text, port));
        m.print('printed');
        return { kind: 'halted' };
      },
      stops({ kind: 'powered-off' }),
    ]);
    const ports = [`file:${first}`, 'stdio', `file:${third}`].flatMap((where) => ['-serial', where]);
    const library = libraryOf(machine);
    const at = desk();
    const code = at.run(['run', 'image', ...ports, '-parallel', `file:${page}`], library);
    await until(() => machine.done.includes('run'));
    at.stdin.type('x');
    expect(await code).toBe(0);
    expect([first, third, page].map((file) => readFileSync(file, 'utf8'))).toEqual(['a', 'c', 'printed']);
    expect(at.stdout.text).toBe('b');
    expect(library.options?.serialPorts).toBe(3);
    expect(machine.done).toContain('serial2 x');
  });

  it('closes the machine when the serial file cannot be made', async () => {
    const machine = new FakeMachine([]);
    expect(await desk().run(['run', 'image', '-serial', 'file:/nowhere/x'], libraryOf(machine))).toBe(11);
    expect(machine.done).toEqual(['close']);
  });

  it('passes on what is piped in, and gives up when nothing can wake the machine', async () => {
    const halted = stops({ kind: 'halted' });
    const machine = new FakeMachine([halted, halted, halted]);
    const at = desk();
    const code = at.run(['run', 'image'], libraryOf(machine));
    await until(() => machine.done.includes('run'));
    at.stdin.type('ls\r\x01x');
    await until(() => machine.done.filter((what) => what === 'run').length === 2);
    at.stdin.emit('end');
    expect(await code).toBe(0);
    expect(machine.done).toEqual(['run', 'serial ls\r\x01x', 'run', 'run', 'close']);
  });

  it('does not wait for input that a halted machine could not see', async () => {
    const machine = new FakeMachine([stops({ kind: 'halted' })]);
    machine.eflags = 2;
    expect(await desk().run(['run', 'image'], libraryOf(machine))).toBe(0);
  });

  it('hands the conditions for its end to the machine', async () => {
    let seen: unknown;
    const machine = new FakeMachine([
      async (_m, options) => {
        seen = options.until;
        return { kind: 'matched', what: 'serial' };
      },
    ]);
    await desk().run(['run', 'x', '-until-serial', 'login: $', '-timeout-ticks', '50e9'], libraryOf(machine));
    expect(seen).toEqual({ serial: /login: $/m, ticks: 50_000_000_000 });
  });
});

describe('a recording by --record', () => {
  it('is started before the first tick and stopped before the machine is closed', async () => {
    const machine = new FakeMachine([OFF]);
    await desk().run(['run', 'image', '-record', 'boot'], libraryOf(machine));
    expect(machine.done).toEqual(['start boot at 0', 'run', 'stop', 'close']);
  });

  it('is not stopped again when it ended with the machine', async () => {
    const machine = new FakeMachine([
      async (m) => {
        m.recording = null;
        return { kind: 'exit', code: 2 };
      },
    ]);
    expect(await desk().run(['run', 'image', '-record', 'boot'], libraryOf(machine))).toBe(2);
    expect(machine.done).toEqual(['start boot at 0', 'run', 'close']);
  });

  it('that cannot be written to its end makes the exit code HOST_IO', async () => {
    const machine = new FakeMachine([
      async (m) => {
        m.emit('recording', { state: 'failed', name: 'boot', file: 'boot.reel', reason: 'disk full' });
        m.recording = null;
        return { kind: 'powered-off' };
      },
    ]);
    const at = desk();
    expect(await at.run(['run', 'image', '-record', 'boot'], libraryOf(machine))).toBe(11);
    expect(at.stderr.text).toContain('recording "boot" failed (disk full): boot.reel');
  });

  it('that the policy denies is DENIED, and the machine never runs', async () => {
    const machine = new FakeMachine([]);
    machine.startRecording = () => Promise.reject(new CodedError('DENIED', 'the policy does not allow it'));
    expect(await desk().run(['run', 'image', '-record', 'boot'], libraryOf(machine))).toBe(8);
    expect(machine.done).toEqual(['close']);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('is ended cleanly by %s, after which a second one would kill', async (signal, code) => {
    const machine = new FakeMachine([forever]);
    const at = desk();
    const ended = at.run(['run', 'image', '-record', 'boot'], libraryOf(machine));
    await until(() => machine.done.includes('run'));
    at.signals.emit(signal);
    expect(at.signals.listenerCount('SIGINT') + at.signals.listenerCount('SIGTERM')).toBe(0);
    expect(await ended).toBe(code);
    expect(machine.done).toEqual(['start boot at 0', 'run', 'stop', 'close']);
  });

  it('is ended cleanly when the reader of standard output goes', async () => {
    const machine = new FakeMachine([forever]);
    const at = desk();
    const ended = at.run(['run', 'image', '-record', 'boot'], libraryOf(machine));
    await until(() => machine.done.includes('run'));
    at.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(await ended).toBe(141);
    expect(machine.done).toEqual(['start boot at 0', 'run', 'stop', 'close']);
  });

  it('is ended cleanly when standard output cannot be written, which is HOST_IO', async () => {
    const machine = new FakeMachine([forever]);
    const at = desk();
    const ended = at.run(['run', 'image', '-record', 'boot'], libraryOf(machine));
    await until(() => machine.done.includes('run'));
    at.stdout.emit('error', Object.assign(new Error('no space'), { code: 'ENOSPC' }));
    expect(await ended).toBe(11);
    expect(machine.done).toContain('stop');
    expect(at.stderr.text).toContain('standard output cannot be written');
  });
});

describe('on a terminal', () => {
  it('Ctrl-A x ends the machine with exit code 0 and gives the terminal back', async () => {
    const machine = new FakeMachine([forever]);
    const at = desk(['stdin', 'stdout', 'stderr']);
    const ended = at.run(['run', 'image', '-record', 'boot'], libraryOf(machine));
    await until(() => machine.done.includes('run'));
    expect(at.stdin.modes).toEqual([true]);
    at.stdin.type('ls\x03\x01x');
    expect(at.stdin.modes).toEqual([true, false]);
    expect(await ended).toBe(0);
    expect(machine.done).toEqual(['start boot at 0', 'run', 'serial ls\x03', 'stop', 'close']);
  });

  it('a signal gives the terminal back at once', async () => {
    const machine = new FakeMachine([forever]);
    const at = desk(['stdin', 'stdout', 'stderr']);
    const ended = at.run(['run', 'image'], libraryOf(machine));
    await until(() => machine.done.includes('run'));
    at.signals.emit('SIGTERM');
    expect(at.stdin.modes).toEqual([true, false]);
    expect(await ended).toBe(143);
  });

  it('an error gives the terminal back', async () => {
    const machine = new FakeMachine([() => Promise.reject(new TypeError('oops'))]);
    const at = desk(['stdin', 'stdout', 'stderr']);
    expect(await at.run(['run', 'image'], libraryOf(machine))).toBe(1);
    expect(at.stdin.modes).toEqual([true, false]);
    expect(machine.done).toEqual(['run', 'close']);
  });

  it('--display text draws the screen, sends keys to the keyboard, and writes the screen at the end', async () => {
    const machine = new FakeMachine([forever], 'C:\\>\n\n');
    const at = desk(['stdin', 'stdout', 'stderr']);
    const ended = at.run(['run', 'image', '-display', 'text'], libraryOf(machine));
    await until(() => at.stdout.text.includes('C:\\>'));
    at.stdin.type('\x01h');
    await until(() => at.stdout.text.includes('Ctrl-A x'));
    expect(at.stderr.text).toBe('');
    at.stdin.type('dir\r');
    at.stdin.type('\x1b[A');
    at.stdin.type('\x1b');
    at.stdin.type('\x01x');
    expect(await ended).toBe(0);
    expect(machine.done).toEqual(['run', 'keys dir\r', 'press up', 'keys \x1b', 'close']);
    expect(at.stderr.text).toContain('Ctrl-A x');
    expect(at.stdout.text.startsWith('\x1b[?1049h')).toBe(true);
    expect(at.stdout.text.endsWith('\x1b[?25h\x1b[?1049lC:\\>\n')).toBe(true);
  });

  it('says on the terminal that a picture is not drawn there', async () => {
    const at = desk(['stdin', 'stdout', 'stderr']);
    const ended = at.run(['run', 'image', '-display', 'text'], libraryOf(new FakeMachine([forever], '')));
    await until(() => at.stdout.text.includes('the guest shows graphics'));
    at.stdin.type('\x01x');
    expect(await ended).toBe(0);
  });
});

it('--display text on a pipe writes the screen once, without escape sequences', async () => {
  const at = desk();
  expect(await at.run(['run', 'image', '-display', 'text'], libraryOf(new FakeMachine([OFF], 'Hello\n\n\n')))).toBe(0);
  expect(at.stdout.text).toBe('Hello\n');
});
