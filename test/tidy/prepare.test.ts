import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'prepare-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'checkout-'));
  copyFileSync(join(ROOT, 'prepare.mjs'), join(folder, 'prepare.mjs'));
});

/** A compiler that tells its arguments and exits with `status`, and what comes behind it. */
function installCompiler(status: number): void {
  const bin = join(folder, 'node_modules/typescript/bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'tsc'), `console.log(process.argv.slice(2).join(' ')); process.exitCode = ${status};`);
  const put = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  put('dist/host/interpreter-file.js', "export const writeInterpreter = () => console.log('interpreter');");
  put('dist/bundle/old.js', '');
  put('node_modules/esbuild/package.json', '{"name": "esbuild", "type": "module", "exports": "./index.js"}');
  const build = "mkdirSync(outdir); writeFileSync(outdir + '/new.js', ''); console.log('bundle ' + outdir);";
  const esbuild = `import { mkdirSync, writeFileSync } from 'node:fs'; export const build = async ({ outdir }) => { ${build} };`;
  put('node_modules/esbuild/index.js', esbuild);
}
const prepare = (): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, ['prepare.mjs'], { cwd: folder, encoding: 'utf8' });

describe('what npm runs after an installation', () => {
  it('builds where the compiler is installed', () => {
    installCompiler(0);
    expect(prepare()).toMatchObject({ status: 0, stdout: '-b\ninterpreter\nbundle dist/bundle\n', stderr: '' });
  });

  it('leaves nothing of an earlier bundle', () => {
    installCompiler(0);
    prepare();
    expect(readdirSync(join(folder, 'dist/bundle')).sort()).toEqual(['index.d.ts', 'new.js']);
  });

  it('fails when the compiler does', () => {
    installCompiler(2);
    expect(prepare()).toMatchObject({ status: 2, stdout: '-b\n' });
  });

  it('says that nothing was built where the development dependencies were left out, and does not fail', () => {
    const { status, stderr } = prepare();
    expect(status).toBe(0);
    expect(stderr).toMatch(/dist\/ is not built.*TypeScript.*--omit=dev/);
  });

  it('is run by npm, and a package is never made without a build', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts).toMatchObject({ prepare: 'node prepare.mjs', prepack: 'node prepare.mjs' });
  });
});
