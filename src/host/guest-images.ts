import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CodedError } from '../base/errors.js';
import { createHashing } from './hashing.js';
import { packageFile } from './package-file.js';

/** An image that comes with the package, as guest-images/manifest.json describes it. */
export interface GuestImage {
  /** E.g. `demo.img`. */
  readonly name: string;
  /** NASM source in guest-images. */
  readonly source: string;
  /** NASM's output format. */
  readonly format: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

const FOLDER = 'guest-images';

export function guestImages(): GuestImage[] {
  const text = readFileSync(packageFile(`${FOLDER}/manifest.json`), 'utf8');
  const entries = JSON.parse(text) as (Omit<GuestImage, 'name' | 'path'> & { readonly output: string })[];
  return entries.map(({ source, output, format, bytes, sha256 }) => {
    return { name: basename(output), source, format, path: packageFile(`${FOLDER}/${output}`), bytes, sha256 };
  });
}

/** SHA-256 of a file, or null where there is none. */
export function hashOfFile(path: string): string | null {
  try {
    return createHashing().sha256Hex(readFileSync(path));
  } catch {
    return null;
  }
}

/** Assembles an image into `folder` with NASM; returns the file. Throws HOST_IO with NASM's words. */
export async function assembleImage({ name, source, format }: GuestImage, folder: string): Promise<string> {
  const output = join(folder, name);
  const wrapper = packageFile('guest-agent/nasm/nasm.mjs');
  const argv = [wrapper, '-f', format, '-I', './', '-I', '../guest-agent/', '-o', output, source];
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new CodedError('HOST_IO', 'the folder cannot be made', { where: folder, cause });
  }
  await new Promise<void>((resolve, reject) => {
    execFile(process.execPath, argv, { cwd: packageFile(FOLDER) }, (cause, _stdout, stderr) => {
      if (cause === null) return resolve();
      const hint = stderr.trim().split('\n').slice(0, 4).join('; ');
      reject(new CodedError('HOST_IO', 'the image cannot be assembled', { where: source, hint, cause }));
    });
  });
  return output;
}

/** Where the images of the package are. */
export function imageFolder(): string {
  return packageFile(`${FOLDER}/built`);
}
