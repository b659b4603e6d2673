import { expect, test } from 'vitest';
import { describeFailure, runVectors } from '../../../src/cli/vectors/run.js';
import { createTarget } from '../../../src/cli/vectors/target.js';
import { parseVectors } from '../../../src/cli/vectors/vector.js';
import { readTextFile } from '../../../src/host/text-file.js';

const FOLDER = 'test/fixtures/cpu-vectors';
const CLASSES = { int: 9000, seq: 2500, fault: 1500, x87: 3500, x87seq: 700, mmx: 1200, sse: 2000 } as const;

const RUNS = [
  { name: 'in the interpreter', tier: 'interpreter', cut: false },
  { name: 'in the interpreter, cut at every tick', tier: 'interpreter', cut: true },
  { name: 'compiled', tier: 'regions', cut: false },
] as const;

for (const [name, count] of Object.entries(CLASSES)) {
  for (const run of RUNS) {
    test(`all ${name} vectors end as on the real processor ${run.name}`, () => {
      const file = `${FOLDER}/${name}.jsonl.gz`;
      const vectors = parseVectors(readTextFile(file), file);
      expect(vectors).toHaveLength(count);
      const failures = runVectors(createTarget(run.tier, run.cut), vectors);
      expect(failures.map(describeFailure)).toEqual([]);
    });
  }
}
