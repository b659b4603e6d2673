import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** A compiler that tells its arguments and exits with `status`. */
function installCompiler(status: number): void {
  const bin = join(folder, 'node_modules/typescript/bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'tsc'), `console.log(process.argv.slice(2).join(' ')); process.exitCode = ${status};`);
}
const prepare = (): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, ['prepare.mjs'], { cwd: folder, encoding: 'utf8' });

describe('what npm runs after an installation', () => {
  it('builds where the compiler is installed', () => {
    installCompiler(0);
    expect(prepare()).toMatchObject({ status: 0, stdout: '-b\n', stderr: '' });
  });

  it('fails when the compiler does', () => {
    installCompiler(2);
    expect(prepare().status).toBe(2);
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
    expect(scripts).toMatchObject({ prepare: 'node prepare.mjs', prepack: 'tsc -b' });
  });
});
