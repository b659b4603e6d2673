import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as after } from 'node:timers/promises';
import type { HostServices } from '../harness/services.js';
import { immediateCompressor } from '../log/block-codec.js';
import { AuditFile } from './audit-file.js';
import { readFile } from './binary-file.js';
import { BackgroundCompressor } from './background-compressor.js';
import { createBlockCodec } from './block-codec.js';
import { openDiskImage } from './disk-image.js';
import { cpuCode } from './cpu-code.js';
import { createSigner, createVerifier } from './signing.js';
import { readTextFile } from './text-file.js';
import { finishedRecordings, removeRecording } from './recording-folder.js';
import { packageFile, packageVersion } from './package-file.js';
import { openNetwork } from './net/open-network.js';
import { Pacer } from './pacing.js';
import { encodePng } from './png.js';
import { createHashing } from './hashing.js';
import { ReelFileSink } from './reel-file-sink.js';
import { ReelFileSource } from './reel-file-source.js';
import { workerFile } from './worker-file.js';

const COMPRESSION_WORKER = workerFile(new URL('./compression-worker.js', import.meta.url));

let services: Promise<HostServices> | null = null;

async function create(): Promise<HostServices> {
  const codec = await createBlockCodec();
  const immediate = immediateCompressor(codec);
  return {
    hashing: createHashing(),
    codec,
    compressor: COMPRESSION_WORKER === null ? immediate : new BackgroundCompressor(COMPRESSION_WORKER, immediate),
    cpuCode,
    readFile,
    openImage: openDiskImage,
    fileExists: existsSync,
    readText: readTextFile,
    openNetwork,
    createPacer: (nsPerTick) => new Pacer({ nsPerTick, nowMs: () => performance.now() }),
    openRecording: (path) => new ReelFileSource(path),
    createRecording: (folder, name) => ReelFileSink.create(folder, name),
    finishedRecordings,
    removeRecording,
    openAudit: (path) => new AuditFile(path),
    createSigner: (pem, where) => createSigner(pem, where),
    createVerifier: (pems) => createVerifier(pems),
    version: packageVersion(),
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    isoTime: () => new Date().toISOString(),
    randomId: () => randomBytes(16).toString('hex'),
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    pause: async (ms) => {
      await (ms > 0 ? after(ms) : nextTurn());
    },
    videoFont: () => readFile(packageFile('guest-images/fonts/cp437-8x16.bin')),
    encodePng,
    bootRom: () => readFile(packageFile('guest-images/built/boot-rom.bin')),
  };
}

/** The services of this process, made once. */
export function hostServices(): Promise<HostServices> {
  services ??= create();
  return services;
}
