/** The 256-bit registers ISR, IRR and TMR: eight words, the lowest vectors first. */
export type VectorSet = number[];

export const emptyVectorSet = (): VectorSet => [0, 0, 0, 0, 0, 0, 0, 0];

export function hasVector(set: VectorSet, vector: number): boolean {
  return ((set[vector >> 5] >>> (vector & 31)) & 1) !== 0;
}

export function addVector(set: VectorSet, vector: number): void {
  set[vector >> 5] = (set[vector >> 5] | (1 << (vector & 31))) >>> 0;
}

export function removeVector(set: VectorSet, vector: number): void {
  set[vector >> 5] = (set[vector >> 5] & ~(1 << (vector & 31))) >>> 0;
}

/** The highest vector, which has the highest priority; -1 for none. */
export function highestVector(set: VectorSet): number {
  for (let word = 7; word >= 0; word--) if (set[word] !== 0) return 32 * word + 31 - Math.clz32(set[word]);
  return -1;
}
