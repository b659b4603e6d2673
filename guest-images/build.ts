/**
 * Rebuilds what guest-images/sources.json lists and writes guest-images/manifest.json:
 * `npx tsx guest-images/build.ts`. Needs NASM (see guest-agent/nasm); the built files are committed, so users need neither.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));

export interface Source {
  /** NASM source; paths are from guest-images. */
  readonly source: string;
  /** Built file. */
  readonly output: string;
  /** NASM output format. */
  readonly format: string;
}

export interface Built extends Source {
  readonly sha256: string;
  readonly bytes: number;
  readonly command: string;
}

export function sources(): Source[] {
  return JSON.parse(readFileSync(join(HERE, 'sources.json'), 'utf8')) as Source[];
}

export function manifest(): Built[] {
  return JSON.parse(readFileSync(join(HERE, 'manifest.json'), 'utf8')) as Built[];
}

function nasmArguments({ source, format }: Source, output: string): string[] {
  return ['-f', format, '-I', './', '-I', '../guest-agent/', '-o', output, source];
}

/** Assembles one source. Throws with NASM's words. */
export function assemble(source: Source, output: string): void {
  const wrapper = join(HERE, '../guest-agent/nasm/nasm.mjs');
  const { status, stderr } = spawnSync(process.execPath, [wrapper, ...nasmArguments(source, output)], { cwd: HERE, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${source.source}: ${stderr}`);
}

export function describe(source: Source, file: string): Built {
  const bytes = readFileSync(join(HERE, file));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { ...source, sha256, bytes: bytes.length, command: ['nasm', ...nasmArguments(source, source.output)].join(' ') };
}

function build(): void {
  const built = sources().map((source) => {
    mkdirSync(join(HERE, dirname(source.output)), { recursive: true });
    assemble(source, source.output);
    return describe(source, source.output);
  });
  writeFileSync(join(HERE, 'manifest.json'), JSON.stringify(built, null, 2) + '\n');
}

if (process.argv[1]?.endsWith('build.ts')) build();
