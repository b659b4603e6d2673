import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, textOf } from './sources.js';

/** The texts of a page's fenced blocks of `language`. */
function blocks(page: string, language: string): string[] {
  return [...page.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].filter(([, l]) => l === language).map(([, , text]) => text);
}

describe('README.md', () => {
  const page = textOf('README.md');
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'guestreel-readme-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  /** Runs node in a folder of its own; what the page calls `guest-images` is the repository's. */
  const node = (...parts: string[]): string =>
    execFileSync(process.execPath, parts, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const located = (text: string): string => text.replaceAll('guest-images/', `${ROOT}guest-images/`);

  it('has an example of the library that runs as it stands', () => {
    const [example] = blocks(page, 'ts');
    const file = join(folder, 'example.mjs');
    writeFileSync(
      file,
      located(example).replace(`'guestreel'`, JSON.stringify(pathToFileURL(`${ROOT}dist/index.js`).href)),
    );
    expect(node(file)).toMatch(/^\{ ok: true, ticks: \d+, digests: \d+ \}\n\d+ \d+ timer-echo: ready\r?\nhello/);
  });

  it('has commands that work as they stand', () => {
    const commands = blocks(page, '').flatMap((text) => text.split('\n'));
    const reel = commands.filter((line) => line.startsWith('npx reel ') && !/--live|--kernel/.test(line));
    expect(reel.length).toBeGreaterThan(2);
    for (const line of reel) {
      const words = line.replace(/#.*/, '').trim().split(/\s+/).slice(2);
      expect(() => node(`${ROOT}dist/cli/main.js`, ...words.map(located)), line).not.toThrow();
    }
  });
});
