import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { CodedError } from '../base/errors.js';

/** Whole UTF-8 text of a file; one whose name ends in `.gz` is decompressed. */
export function readTextFile(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new CodedError('HOST_IO', 'the file cannot be read', { where: path, cause });
  }
  if (!path.endsWith('.gz')) return bytes.toString('utf8');
  try {
    return gunzipSync(bytes).toString('utf8');
  } catch (cause) {
    throw new CodedError('DAMAGED', 'the file is not valid gzip data', { where: path, cause });
  }
}
