import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { generatedFiles } from '../../guest-agent/generate.js';
import { assemble, describe as describeBuilt, manifest, sources } from '../../guest-images/build.js';

const folder = mkdtempSync(join(tmpdir(), 'images-'));
afterAll(() => rmSync(folder, { recursive: true }));
const wrapper = 'guest-agent/nasm/nasm.mjs';
const nasm = spawnSync(process.execPath, [wrapper, '-v'], { encoding: 'utf8' });

describe('the built guest images', () => {
  test('are all in the manifest, with the hashes of the committed files', () => {
    expect(manifest().map((m) => m.output)).toEqual(sources().map((s) => s.output));
    for (const entry of manifest()) expect(describeBuilt(entry, entry.output)).toEqual(entry);
  });

  test('are what NASM makes of their sources, or NASM says how to be installed', () => {
    if (nasm.status !== 0) {
      expect(nasm.stderr).toMatch(/apt-get install nasm/);
      return;
    }
    for (const source of sources()) {
      const output = join(folder, 'image');
      assemble(source, output);
      const committed = readFileSync(join('guest-images', source.output));
      expect(readFileSync(output).equals(committed), source.source).toBe(true);
    }
  });
});

describe('the nasm wrapper', () => {
  test('leaves the target as it was when NASM fails', () => {
    const target = join(folder, 'kept');
    const source = join(folder, 'bad.asm');
    spawnSync('sh', ['-c', `echo old > ${target}; echo 'no such instruction' > ${source}`]);
    const { status } = spawnSync(process.execPath, [wrapper, '-f', 'bin', '-o', target, source]);
    expect(status).not.toBe(0);
    expect(readFileSync(target, 'utf8')).toBe('old\n');
  });

  test('says how to install NASM where there is none', () => {
    const env = { PATH: '/nonexistent' };
    const { status, stderr } = spawnSync(process.execPath, [wrapper, '-v'], { env, encoding: 'utf8' });
    expect(status).toBe(127);
    expect(stderr).toContain('prebuilt images');
  });
});

test('the protocol files are generated from the protocol table as it is', async () => {
  for (const [file, text] of await generatedFiles()) expect(readFileSync(file, 'utf8'), file).toBe(text);
});

test('the C header compiles for 32-bit code, or there is no compiler', () => {
  const program =
    '#include "reel.h"\nint main(void) { reel_u32 id; return (int)(reel_start("x", &id) + reel_stop(0)); }\n';
  const args = [
    '-m32',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-Iguest-agent',
    '-x',
    'c',
    '-c',
    '-o',
    join(folder, 'a.o'),
    '-',
  ];
  const { status, stderr, error } = spawnSync('gcc', args, { input: program, encoding: 'utf8' });
  if (error !== undefined) expect((error as NodeJS.ErrnoException).code).toBe('ENOENT');
  else expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
