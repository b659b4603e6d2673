#!/usr/bin/env node
// Runs the system's NASM ($NASM, or `nasm` on PATH, 2.15 or later). NASM deletes its output file on an error, whatever that file
// is: so it always writes a temporary file, which takes the name given with -o when the run succeeded.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = [2, 15];
const EXIT_USAGE = 2;
const EXIT_MISSING = 127;
/** Variable for what the wrappers that led here have started: what is on PATH may be a wrapper, too, of another checkout. */
const STARTED = 'GUESTREEL_NASM_STARTED';
const started = (process.env[STARTED] ?? '').split(delimiter).filter((file) => file !== '');

function isMyself(file) {
  try {
    return realpathSync(file) === realpathSync(fileURLToPath(import.meta.url));
  } catch {
    return false;
  }
}

function isCandidate(file) {
  return !started.includes(file) && !isMyself(file);
}

function findNasm() {
  const { NASM } = process.env;
  if (NASM && isCandidate(NASM)) return NASM;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, process.platform === 'win32' ? 'nasm.exe' : 'nasm');
    try {
      accessSync(file, constants.X_OK);
    } catch {
      continue;
    }
    if (isCandidate(file)) return file;
  }
  return null;
}

/** Starts `nasm`, which never comes back here: two wrappers would start one another for ever. */
function start(nasm, args, options) {
  const env = { ...process.env, [STARTED]: [...started, nasm].join(delimiter) };
  return spawnSync(nasm, args, { ...options, env });
}

function fail(message, status) {
  process.stderr.write(`nasm: ${message}\n`);
  process.exitCode = status;
}

function run(args) {
  const nasm = findNasm();
  const version = nasm === null ? null : start(nasm, ['-v'], { encoding: 'utf8' });
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
  // NASM takes `-o FILE` and `-oFILE`.
  const at = args.findIndex((arg) => arg.startsWith('-o'));
  const isAttached = at >= 0 && args[at] !== '-o';
  const target = isAttached ? args[at].slice(2) : args[at + 1];
  if (at < 0) {
    // Then NASM makes up a name; what only prints (-v, -h, -M, -E without a format) goes on.
    if (args.some((arg) => arg.startsWith('-f'))) return fail('name the output with -o', EXIT_USAGE);
    process.exitCode = start(nasm, args, { stdio: 'inherit' }).status ?? 1;
  } else if (target === undefined) {
    fail('a file name is missing behind -o', EXIT_USAGE);
  } else {
    const others = args.toSpliced(at, isAttached ? 1 : 2);
    process.exitCode = assemble(nasm, others, target);
  }
}

function assemble(nasm, args, target) {
  const folder = mkdtempSync(join(tmpdir(), 'nasm-'));
  // Beside the target: a rename is whole or not at all, but only within one file system.
  const beside = `${target}.${process.pid}.tmp`;
  try {
    const output = join(folder, 'output');
    const { status } = start(nasm, ['-o', output, ...args], { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
    copyFileSync(output, beside);
    renameSync(beside, target);
    return 0;
  } catch (error) {
    process.stderr.write(`nasm: ${target} cannot be written: ${error.message}\n`);
    return 1;
  } finally {
    rmSync(beside, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

run(process.argv.slice(2));
