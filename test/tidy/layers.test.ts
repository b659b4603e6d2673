import { isBuiltin } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  deadFiles,
  ENTRY_FILES,
  GENERATOR_FILES,
  importCircles,
  importsOf,
  layerFindings,
  MAY_IMPORT,
  sourceFiles,
  type Import,
} from './layers.js';
import { filesBelow, textOf } from './sources.js';

function sample(from: string, ...lines: string[]): Import[] {
  return importsOf(from, lines.join('\n'));
}

describe('the layers', () => {
  let files: readonly string[];
  let imports: readonly Import[];
  beforeAll(() => {
    files = sourceFiles();
    imports = files.flatMap((path) => importsOf(path));
  });

  it('are told apart by the rule, whatever kind of import is used', () => {
    const wrong = [
      sample('src/base/a.ts', "import { x } from '../core/b.js';"),
      sample('src/devices/a.ts', "import type { x } from '../cpu/b.js';"),
      sample('src/harness/a.ts', "const x = await import('../host/b.js');"),
      sample('src/gdb/a.ts', "export { x } from '../machine/b.js';"),
      sample('src/log/a.ts', "let x: import('../policy/b.js').X;"),
      sample('src/cpu/a.ts', "new Worker(new URL('../replay/b.js', import.meta.url));"),
    ];
    expect(wrong.map((i) => layerFindings(i).length)).toEqual(wrong.map(() => 1));
    expect(layerFindings(sample('src/cli/a.ts', "import '../host/b.js';", "import '../index.js';"))).toEqual([]);
  });

  it('import only what lies below them', () => {
    expect(layerFindings(imports)).toEqual([]);
  });

  it('leave Node to src/host', () => {
    const outside = imports.filter((i) => !i.isRelative && isBuiltin(i.target) && !i.from.startsWith('src/host/'));
    expect(outside.map((i) => `${i.where}: ${i.target}`)).toEqual([]);
  });

  it('use only packages that are installed with guestreel', () => {
    const { dependencies } = JSON.parse(textOf('package.json')) as { dependencies: Record<string, string> };
    const names = imports.filter((i) => !i.isRelative && !isBuiltin(i.target)).map((i) => i.target);
    const packages = names.map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
    expect([...new Set(packages)].filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
  });

  it('have no circles of files that need each other to load', () => {
    const circle = [...sample('src/base/a.ts', "import './b.js';"), ...sample('src/base/b.ts', "import './a.js';")];
    expect(importCircles(circle)).toHaveLength(1);
    expect(importCircles(imports)).toEqual([]);
  });

  it('hold no file that nothing reaches', () => {
    expect([...ENTRY_FILES, ...GENERATOR_FILES].filter((file) => !files.includes(file))).toEqual([]);
    expect(deadFiles([...files, 'src/base/unused.ts'], imports)).toContain('src/base/unused.ts');
    expect(deadFiles(files, imports)).toEqual([]);
  });

  it('hold generators that tests or scripts run and programs do not need', () => {
    const outside = ['test', 'guest-agent', 'schemas'].flatMap((folder) => filesBelow(folder));
    const scripts = outside.filter((path) => path.endsWith('.ts') && path !== 'test/tidy/layers.ts');
    const used = new Set(scripts.flatMap((path) => importsOf(path)).map((i) => i.target));
    expect(GENERATOR_FILES.filter((file) => !used.has(file))).toEqual([]);
    expect(deadFiles(GENERATOR_FILES, imports, ENTRY_FILES)).toEqual(GENERATOR_FILES);
  });

  it('are all described in ARCHITECTURE.md', () => {
    const page = textOf('ARCHITECTURE.md');
    expect(Object.keys(MAY_IMPORT).filter((layer) => !page.includes(`\`${layer}\``))).toEqual([]);
  });
});
