import { describe, expect, it } from 'vitest';
import { filesBelow, textOf } from './sources.js';

const BINARY = /\.(gz|zst|reel|bin|img|iso|com|elf|png)$/i;
/** Folders below which every file comes with a named licence and origin. */
const FIXTURES = 'test/fixtures';

/** A path that exists on the machine of one developer only. */
const MACHINE_PATH = /(?<![\w./~-])(?:\/(?:home|Users|root|work|builds|workspace)\/[\w.-]+|[A-Z]:\\Users\\)/;

function textFiles(): string[] {
  return filesBelow().filter((path) => !BINARY.test(path) && !textOf(path).includes('\0'));
}

function matchingLines(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    textOf(path)
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 100)}`] : [])),
  );
}

describe('the repository', () => {
  it('names no path of any machine', () => {
    expect(MACHINE_PATH.test('see /ho' + 'me/someone/file')).toBe(true);
    expect(MACHINE_PATH.test('./work/notes and https://example.org/home/page')).toBe(false);
    expect(matchingLines(textFiles(), MACHINE_PATH)).toEqual([]);
  });

  it('locks packages by version and hash, not by the registry they came from', () => {
    type Package = { resolved?: string; link?: boolean; integrity?: string };
    const { packages } = JSON.parse(textOf('package-lock.json')) as { packages: Record<string, Package> };
    const entries = Object.entries(packages);
    expect(entries.filter(([, p]) => /^[a-z+]+:/i.test(p.resolved ?? '')).map(([name]) => name)).toEqual([]);
    const installed = entries.filter(([name, p]) => name.startsWith('node_modules/') && !p.link);
    expect(installed.filter(([, p]) => p.integrity === undefined).map(([name]) => name)).toEqual([]);
  });

  it('pins its direct dependencies to exact versions', () => {
    type Manifest = { dependencies: Record<string, string>; devDependencies: Record<string, string> };
    const { dependencies, devDependencies } = JSON.parse(textOf('package.json')) as Manifest;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('says for every fixture where it comes from and under which licence it is', () => {
    const page = textOf(`${FIXTURES}/README.md`);
    const folders = new Set(filesBelow(FIXTURES).map((path) => path.slice(FIXTURES.length + 1).split('/')[0]));
    folders.delete('README.md');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const named = rows.map((row) => /^\| `([^`]+)`/.exec(row)![1].replace(/\/$/, ''));
    expect(named.sort()).toEqual([...folders].sort());
    expect(rows.filter((row) => !/\b(MIT|BSD|Apache|GPL|LGPL|public domain|CC0)\b/.test(row))).toEqual([]);
  });

  it('has no links between its pages that lead nowhere', () => {
    const all = new Set(filesBelow());
    const pages = [...all].filter((path) => path.endsWith('.md'));
    const broken = pages.flatMap((page) => {
      const folder = page.split('/').slice(0, -1);
      return [...textOf(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map((match) => match[1])
        .filter((target) => !/^[a-z]+:/.test(target))
        .map((target) => new URL(target, `file:///${[...folder, ''].join('/')}`).pathname.slice(1))
        .filter((target) => ![...all].some((path) => path === target || path.startsWith(target.replace(/\/?$/, '/'))))
        .map((target) => `${page}: ${target}`);
    });
    expect(broken).toEqual([]);
  });
});
