import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of a file that comes with the package, from src/host and dist/host alike. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
