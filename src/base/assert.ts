/** Thrown when guestreel itself is wrong; never caused by input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** States an invariant of our own code; bad input gets a coded error instead (base/errors.ts). */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that the types already exclude. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
