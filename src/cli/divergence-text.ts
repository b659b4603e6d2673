import type { Divergence } from '../replay/divergence.js';
import { printable } from './output.js';

/** Where a replay and its recording part, with both sides. */
export function divergenceLines({ tick, what, expected, actual, after }: Divergence): string[] {
  const place = after === null ? 'before any mark' : `after mark "${printable(after)}"`;
  return [
    `diverged at tick ${tick}, ${place}: ${printable(what)}`,
    `  recorded: ${printable(expected)}`,
    `  replayed: ${printable(actual)}`,
  ];
}
