/**
 * Rebuilds what guest-images/sources.json lists and writes guest-images/manifest.json:
 * `npx tsx guest-images/build.ts`. Needs NASM (see guest-agent/nasm); the built files are committed, so users need neither.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findAgentCode } from '../src/devices/backdoor/agent-code.js';
import { AGENT_CODE } from '../src/devices/backdoor/protocol.js';

/** From guest-images, where NASM runs. */
const INCLUDE_FOLDERS = ['./', '../guest-agent/'];
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
  /** Everything the image is made of: the source, what it includes, what it embeds. */
  readonly sources: readonly string[];
  readonly sha256: string;
  readonly bytes: number;
  /** Of agents: what a policy calls `codeSha256`. */
  readonly codeSha256?: string;
  readonly command: string;
}

export function sources(): Source[] {
  return JSON.parse(readFileSync(join(HERE, 'sources.json'), 'utf8')) as Source[];
}

export function manifest(): Built[] {
  return JSON.parse(readFileSync(join(HERE, 'manifest.json'), 'utf8')) as Built[];
}

function nasmArguments({ source, format }: Source, output: string): string[] {
  return ['-f', format, ...INCLUDE_FOLDERS.flatMap((folder) => ['-I', folder]), '-o', output, source];
}

/** Assembles one source. Throws with NASM's words. */
export function assemble(source: Source, output: string): void {
  const wrapper = join(HERE, '../guest-agent/nasm/nasm.mjs');
  const { status, stderr } = spawnSync(process.execPath, [wrapper, ...nasmArguments(source, output)], {
    cwd: HERE,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${source.source}: ${stderr}`);
}

/** The files that a source is made of, itself first; paths are from guest-images, as NASM looks them up. */
function filesOf(source: string, seen = new Set<string>()): string[] {
  if (seen.has(source)) return [];
  seen.add(source);
  if (!/\.(asm|inc)$/.test(source)) return [source];
  const text = readFileSync(join(HERE, source), 'utf8');
  const names = [...text.matchAll(/^[^;\n]*(?:%include|\bincbin)\s+"([^"]+)"/gm)].map((match) => match[1]);
  const found = names.map(
    (name) =>
      INCLUDE_FOLDERS.map((folder) => posix.join(folder, name)).find((path) => existsSync(join(HERE, path))) ?? name,
  );
  return [source, ...found.flatMap((path) => filesOf(path, seen))];
}

/** SHA-256 of the header and the code of the agent in `bytes`, as the emulator sees it; undefined where there is none. */
function agentCodeHash(bytes: Buffer): string | undefined {
  const at = bytes.indexOf(AGENT_CODE.magic, 0, 'latin1');
  if (at < 0) return undefined;
  const code = findAgentCode(
    (linear, length) => new Uint8Array(bytes.subarray(linear, linear + length)),
    at + AGENT_CODE.headerBytes,
  );
  return code === null ? undefined : sha256(code);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function describe(source: Source, file: string): Built {
  const bytes = readFileSync(join(HERE, file));
  const codeSha256 = source.source.includes('guest-agent/') ? agentCodeHash(bytes) : undefined;
  return {
    ...source,
    sources: filesOf(source.source),
    sha256: sha256(bytes),
    bytes: bytes.length,
    ...(codeSha256 === undefined ? {} : { codeSha256 }),
    command: ['nasm', ...nasmArguments(source, source.output)].join(' '),
  };
}

function isElf(file: string): boolean {
  return readFileSync(join(HERE, file)).subarray(0, 4).toString('latin1') === '\x7fELF';
}

function build(): void {
  const built = sources().map((source) => {
    mkdirSync(join(HERE, dirname(source.output)), { recursive: true });
    assemble(source, source.output);
    if (isElf(source.output)) chmodSync(join(HERE, source.output), 0o755);
    return describe(source, source.output);
  });
  writeFileSync(join(HERE, 'manifest.json'), JSON.stringify(built, null, 2) + '\n');
}

if (process.argv[1]?.endsWith('build.ts')) build();
