import { readFileSync } from 'node:fs';
import { CodedError } from '../base/errors.js';

/** The bytes of a file. Throws HOST_IO. */
export function readFile(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ENOENT';
    throw new CodedError('HOST_IO', missing ? 'there is no such file' : 'the file cannot be read', {
      where: path,
      cause,
    });
  }
}
