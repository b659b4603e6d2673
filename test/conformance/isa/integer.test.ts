import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeFailure, runVectors } from '../../../src/cli/vectors/run.js';
import { parseVectors } from '../../../src/cli/vectors/vector.js';
import { readTextFile } from '../../../src/host/text-file.js';
import { DirectTarget } from './direct-target.js';

describe('integer semantics, carried out directly', () => {
  it.each([
    ['int', 9000],
    ['seq', 2500],
    ['fault', 1500],
  ])('end as the real processor does in every vector of %s', (name, count) => {
    const file = fileURLToPath(new URL(`../../fixtures/cpu-vectors/${name}.jsonl.gz`, import.meta.url));
    const vectors = parseVectors(readTextFile(file), file);
    expect(vectors).toHaveLength(count);
    expect(runVectors(new DirectTarget(), vectors).map(describeFailure)).toEqual([]);
  });
});
