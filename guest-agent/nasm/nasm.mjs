#!/usr/bin/env node
// Runs the system's NASM ($NASM, or `nasm` on PATH, 2.15 or later). NASM deletes its output file on an error, whatever that file
// is: so it always writes a temporary file, which takes the name given with -o when the run succeeded.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = [2, 15];
const EXIT_MISSING = 127;

function isMyself(file) {
  try {
    return realpathSync(file) === realpathSync(fileURLToPath(import.meta.url));
  } catch {
    return false;
  }
}

function findNasm() {
  if (process.env.NASM) return process.env.NASM;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, process.platform === 'win32' ? 'nasm.exe' : 'nasm');
    try {
      accessSync(file, constants.X_OK);
    } catch {
      continue;
    }
    if (!isMyself(file)) return file;
  }
  return null;
}

function fail(message, status) {
  process.stderr.write(`nasm: ${message}\n`);
  process.exitCode = status;
}

function run(args) {
  const nasm = findNasm();
  const version = nasm === null ? null : spawnSync(nasm, ['-v'], { encoding: 'utf8' });
  const found = /version (\d+)\.(\d+)/.exec(version?.stdout ?? '');
  if (found === null) {
    return fail(
      'NASM is not installed; the prebuilt images in guest-images/built are used. To rebuild them install it ' +
        '(Debian: apt-get install nasm, macOS: brew install nasm) or name it in $NASM',
      EXIT_MISSING,
    );
  }
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return fail(`${nasm} is version ${major}.${minor}; ${OLDEST.join('.')} or later is needed`, EXIT_MISSING);
  }
  const at = args.indexOf('-o');
  if (at < 0 || args[at + 1] === undefined) {
    const { status } = spawnSync(nasm, args, { stdio: 'inherit' });
    process.exitCode = status ?? 1;
    return;
  }
  const target = args[at + 1];
  const folder = mkdtempSync(join(tmpdir(), 'nasm-'));
  const output = join(folder, 'output');
  try {
    const { status } = spawnSync(nasm, args.with(at + 1, output), { stdio: 'inherit' });
    process.exitCode = status ?? 1;
    if (status !== 0) return;
    // Beside the target first: a rename is whole or not at all, but only within one file system.
    copyFileSync(output, `${target}.tmp`);
    renameSync(`${target}.tmp`, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

run(process.argv.slice(2));
