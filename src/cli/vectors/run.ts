import { toHex } from '../../base/hash.js';
import type { Difference } from './compare.js';
import { compare } from './compare.js';
import type { Vector, VectorTarget } from './vector.js';

export interface VectorFailure {
  readonly vector: Vector;
  readonly differences: readonly Difference[];
}

/** Runs every vector; one that makes the target throw has failed. */
export function runVectors(target: VectorTarget, vectors: readonly Vector[]): VectorFailure[] {
  const failures: VectorFailure[] = [];
  for (const vector of vectors) {
    const differences = runVector(target, vector);
    if (differences.length > 0) failures.push({ vector, differences });
  }
  return failures;
}

function runVector(target: VectorTarget, vector: Vector): readonly Difference[] {
  try {
    target.load(vector);
    return compare(vector, target.run());
  } catch (error) {
    return [{ field: 'run', expected: 'an end', actual: error instanceof Error ? error.message : String(error) }];
  }
}

/** One line: index, code, each differing field. */
export function describeFailure({ vector, differences }: VectorFailure): string {
  const fields = differences.map(({ field, expected, actual }) => `${field} is ${actual}, should be ${expected}`);
  return `#${vector.index} ${toHex(vector.code)}: ${fields.join('; ')}`;
}
