import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn, setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../base/errors.js';
import type { HostServices } from '../harness/services.js';
import { immediateCompressor } from '../log/block-codec.js';
import { createBlockCodec } from './block-codec.js';
import { cpuCode } from './cpu-code.js';
import { readTextFile } from './text-file.js';
import { Pacer } from './pacing.js';
import { createHashing } from './hashing.js';
import { ReelFileSink } from './reel-file-sink.js';
import { ReelFileSource } from './reel-file-source.js';

/** Files that come with the package, from src/host and dist/host alike. */
function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

function readFile(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ENOENT';
    throw new CodedError('HOST_IO', missing ? 'there is no such file' : 'the file cannot be read', { where: path, cause });
  }
}

let services: Promise<HostServices> | null = null;

async function create(): Promise<HostServices> {
  const codec = await createBlockCodec();
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };
  return {
    hashing: createHashing(),
    codec,
    compressor: immediateCompressor(codec),
    cpuCode,
    readFile,
    readText: readTextFile,
    createPacer: (nsPerTick) => new Pacer({ nsPerTick, nowMs: () => performance.now() }),
    openRecording: (path) => new ReelFileSource(path),
    createRecording: (folder, name) => ReelFileSink.create(folder, name),
    appendLine: (path, line) => {
      try {
        mkdirSync(dirname(path), { recursive: true });
        appendFileSync(path, line + '\n');
      } catch (cause) {
        throw new CodedError('HOST_IO', 'the file cannot be written', { where: path, cause });
      }
    },
    version,
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    isoTime: () => new Date().toISOString(),
    randomId: () => randomBytes(16).toString('hex'),
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    pause: async (ms) => {
      await (ms > 0 ? after(ms) : nextTurn());
    },
    bootRom: () => readFile(packageFile('guest-images/built/boot-rom.bin')),
  };
}

/** The services of this process, made once. */
export function hostServices(): Promise<HostServices> {
  services ??= create();
  return services;
}
