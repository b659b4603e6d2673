// npm runs this after an installation in a checkout: it builds dist/. An installation without the development dependencies
// (--omit=dev) has no TypeScript: that is said, and is no failure. Errors of the compiler are.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

function findCompiler() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

const compiler = findCompiler();
if (compiler === null) {
  process.stderr.write(
    'guestreel: dist/ is not built, since TypeScript is not installed; `npm ci` without --omit=dev builds it\n',
  );
} else {
  process.exitCode = spawnSync(process.execPath, [compiler, '-b'], { stdio: 'inherit' }).status ?? 1;
}
