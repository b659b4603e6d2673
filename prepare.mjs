// Builds dist/: `npm run build`, and what npm runs after an installation in a checkout. An installation without the
// development dependencies (--omit=dev) has no TypeScript: that is said, and is no failure. Errors of the compiler are.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

function findCompiler() {
  try {
    return require.resolve('typescript/bin/tsc');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

/** One file loads in a third of the time of some hundred: what starts often gets one. Dependencies stay what they are. */
async function bundle() {
  const { build } = await import('esbuild');
  // Pieces are named by what is in them: those of earlier builds would stay.
  rmSync('dist/bundle', { recursive: true, force: true });
  await build({
    entryPoints: {
      reel: 'dist/cli/main.js',
      index: 'dist/index.js',
      'region-worker': 'dist/host/region-worker.js',
      'compression-worker': 'dist/host/compression-worker.js',
    },
    outdir: 'dist/bundle',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
  });
  writeFileSync('dist/bundle/index.d.ts', "export * from '../index.js';\n");
}

const compiler = findCompiler();
if (compiler === null) {
  process.stderr.write(
    'guestreel: dist/ is not built, since TypeScript is not installed; `npm ci` without --omit=dev builds it\n',
  );
} else {
  process.exitCode = spawnSync(process.execPath, [compiler, '-b'], { stdio: 'inherit' }).status ?? 1;
  if (process.exitCode === 0) {
    const { writeInterpreter } = await import(new URL('dist/host/interpreter-file.js', import.meta.url).href);
    writeInterpreter();
    await bundle();
  }
}
