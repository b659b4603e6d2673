import { sameBytes } from '../base/bytes.js';
import { toHex } from '../base/hash.js';
import { shortHash, type EntryOf } from '../log/entries.js';
import type { Digest } from '../machine/machine.js';

/** A recording has a digest at least this often while the CPU runs, besides those at marks. */
export const DIGEST_INTERVAL_TICKS = 50_000_000;

/** Where a digest is not as recorded. */
export interface DigestDifference {
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
}

function startOf(hash: Uint8Array): string {
  return toHex(hash.subarray(0, 8));
}

/**
 * Digests as a recording has them, one after the other. They name only the sections that changed since the digest before:
 * most devices stand still, and an idle guest's log is hardly anything else.
 */
export class DigestSections {
  /** As of the last digest. */
  readonly #known = new Map<string, number>();

  /** The machine's digest as it is written. */
  entry(digest: Digest): EntryOf<'digest'> {
    const sections: { name: string; hash: number }[] = [];
    for (const [name, full] of digest.sections) {
      const hash = shortHash(full);
      if (this.#known.get(name) === hash) continue;
      this.#known.set(name, hash);
      sections.push({ name, hash });
    }
    const { tick, state: cpuDevices, ram, pages } = digest;
    return { entry: 'digest', tick, cpuDevices, ram, pages: pages.length, sections };
  }

  /** The difference between the next recorded digest and the machine's, the most telling part first; null when they are equal. */
  compare(expected: EntryOf<'digest'>, actual: Digest): DigestDifference | null {
    for (const { name, hash } of expected.sections) this.#known.set(name, hash);
    if (!sameBytes(expected.cpuDevices, actual.state)) {
      return {
        what: this.#differing(actual).join(', ') || 'machine state',
        expected: startOf(expected.cpuDevices),
        actual: startOf(actual.state),
      };
    }
    if (sameBytes(expected.ram, actual.ram)) return null;
    return {
      what: 'ram',
      expected: `${expected.pages} written pages, ${startOf(expected.ram)}`,
      actual: `${actual.pages.length} written pages, ${startOf(actual.ram)}`,
    };
  }

  /** Names of the recorded sections that the machine does not have like that. */
  #differing(actual: Digest): string[] {
    const names: string[] = [];
    for (const [name, hash] of this.#known) {
      const found = actual.sections.get(name);
      if (found === undefined || shortHash(found) !== hash) names.push(name);
    }
    return names;
  }
}
