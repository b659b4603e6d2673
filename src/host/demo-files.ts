import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/** Removes what an earlier demo left in its own folder. */
export function emptyFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Copies a file with one bit in its middle changed. */
export function copyWithOneBitChanged(from: string, to: string): void {
  const bytes = readFileSync(from);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(to, bytes);
}

/** As a user in the working folder would type it. */
export function shortPath(file: string): string {
  return relative('.', file);
}
