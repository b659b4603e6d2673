// `npm run bench`: installs the peer that comes from npm, builds guestreel and this package, and starts it. Without the peer
// the rest is measured.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('..', import.meta.url));

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] });
  if (error !== undefined) process.stderr.write(`bench: ${command}: ${error.message}\n`);
  return status === 0;
}

function fail(message) {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(1);
}

if (!run('npm', ['ci', '--no-audit', '--no-fund'], BENCH)) {
  process.stderr.write('bench: npm ci failed; v86 will not be measured\n');
}
let compiler;
try {
  compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
} catch {
  fail('TypeScript is not installed: npm ci in the root folder');
}
if (!run(process.execPath, ['prepare.mjs'], ROOT)) fail('guestreel does not compile');
if (!run(process.execPath, [compiler, '-p', '.'], BENCH)) fail('the benchmark does not compile');
const { status } = spawnSync(process.execPath, [`${BENCH}dist/main.js`, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
