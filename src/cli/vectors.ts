import { Command, InvalidArgumentError, Option } from 'commander';
import { CodedError } from '../base/errors.js';
import type { Tier } from '../cpu/cpu-options.js';
import { readTextFile } from '../host/text-file.js';
import { describeFailure, runVectors } from './vectors/run.js';
import { createTarget } from './vectors/target.js';
import { parseVectors } from './vectors/vector.js';

/** Tier 2 compiles blocks when they run first; what it leaves to the interpreter runs there. */
const TIERS = { '1': ['interpreter'], '2': ['regions'], all: ['interpreter', 'regions'] } as const;

interface VectorOptions {
  readonly tier: '1' | '2' | 'all';
  readonly cut: boolean;
  readonly only?: number;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is expected');
  return Number(text);
}

/** Returns the number of failures. */
async function run(files: readonly string[], options: VectorOptions): Promise<number> {
  const tiers: readonly Tier[] = TIERS[options.tier];
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    const all = parseVectors(readTextFile(file), file);
    const vectors = options.only === undefined ? all : all.filter((v) => v.index === options.only);
    for (const tier of tiers) {
      const target = createTarget(tier, options.cut);
      const failures = runVectors(target, vectors);
      for (const failure of failures) process.stdout.write(`${file} (${tier}): ${describeFailure(failure)}\n`);
      failed += failures.length;
      passed += vectors.length - failures.length;
    }
  }
  if (passed + failed === 0) throw new CodedError('USAGE', 'no vector was selected', { where: files.join(' ') });
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed;
}

const program = new Command('vectors')
  .description('runs CPU test vectors and lists those that end differently than on the real processor')
  .argument('<file...>', 'files of vectors, *.jsonl or *.jsonl.gz')
  .addOption(new Option('--tier <tier>', 'engine to run on').choices(['1', '2', 'all']).default('all'))
  .option('--cut', 'end the slice after every tick', false)
  .option('--only <index>', 'only the vector with this index', wholeNumber)
  // 1 says that vectors failed; a wrong command line is 2, like every other error.
  .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2));

program.parse();
try {
  process.exitCode = (await run(program.args, program.opts<VectorOptions>())) > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof CodedError)) throw error;
  process.stderr.write(`${error.describe()}\n`);
  process.exitCode = 2;
}
