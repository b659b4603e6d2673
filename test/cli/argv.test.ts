import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { normaliseArgv } from '../../src/cli/argv.js';
import { MISSING_QEMU_OPTIONS, VERBS } from '../../src/cli/declarations.js';

describe('normaliseArgv', () => {
  it('gives the long options of a QEMU command line two dashes', () => {
    const qemu = [
      'run',
      '-m',
      '64',
      '-kernel',
      'bzImage',
      '-initrd',
      'root.gz',
      '-append',
      'console=ttyS0',
      '-nographic',
    ];
    const gnu = [
      'run',
      '-m',
      '64',
      '--kernel',
      'bzImage',
      '--initrd',
      'root.gz',
      '--append',
      'console=ttyS0',
      '--nographic',
    ];
    expect(normaliseArgv(qemu)).toEqual(gnu);
    expect(normaliseArgv(gnu)).toEqual(gnu);
  });

  it('leaves the arguments of options as they are, whatever they look like', () => {
    const argv = ['run', '-append', '-kernel', '-kernel', '-hda', '-record', '-m'];
    expect(normaliseArgv(argv)).toEqual(['run', '--append', '-kernel', '--kernel', '-hda', '--record', '-m']);
  });

  it('leaves everything behind -- as it is', () => {
    expect(normaliseArgv(['run', '-nographic', '--', '-kernel'])).toEqual(['run', '--nographic', '--', '-kernel']);
  });

  it('takes = between an option and its argument', () => {
    expect(normaliseArgv(['run', '-kernel=a b', '-serial=file:x', 'image'])).toEqual([
      'run',
      '--kernel=a b',
      '--serial=file:x',
      'image',
    ]);
  });

  it('leaves other verbs, short options and an empty line alone', () => {
    expect(normaliseArgv(['policy', 'check', '-hda'])).toEqual(['policy', 'check', '-hda']);
    expect(normaliseArgv(['export', 'f.reel', '-as', 'json', '-o', '-m'])).toEqual([
      'export',
      'f.reel',
      '--as',
      'json',
      '-o',
      '-m',
    ]);
    expect(normaliseArgv(['run', '-m128'])).toEqual(['run', '-m128']);
    expect(normaliseArgv([])).toEqual([]);
  });

  it.each(['-usb', '--usb', '-smp', '-gdb', '-net', '-pflash', '-S'])('says what is missing for %s', (option) => {
    const parse = (): unknown => normaliseArgv(['run', 'image', option, 'x']);
    expect(parse).toThrow(CodedError);
    expect(parse).toThrow(`${option} is an option of QEMU that guestreel does not have`);
  });

  it('knows no option as missing that a machine has', () => {
    for (const verb of VERBS.filter(({ name }) => name === 'run' || name === 'replay')) {
      for (const option of verb.options) expect(MISSING_QEMU_OPTIONS).not.toHaveProperty([option.name]);
    }
  });
});
