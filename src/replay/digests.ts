import { ByteWriter } from '../base/bytes.js';
import { toHex } from '../base/hash.js';
import type { EntryOf } from '../log/entries.js';
import type { Digest, Machine } from '../machine/machine.js';

/** A recording has a digest at least this often while the CPU runs, besides those at marks. */
export const DIGEST_INTERVAL_TICKS = 50_000_000;

function shortHash(hash: Uint8Array): number {
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0, true);
}

/** The machine's digest at this boundary as a log entry. */
export function logDigest(machine: Machine): EntryOf<'digest'> {
  return digestEntry(machine, machine.digest());
}

function digestEntry(machine: Machine, digest: Digest): EntryOf<'digest'> {
  const all = new ByteWriter();
  for (const [name, hash] of digest.sections) all.text(name).raw(hash);
  return {
    entry: 'digest',
    tick: digest.tick,
    cpuDevices: machine.hashing.sha256(all.finish()),
    ram: digest.ram,
    pages: digest.pages.length,
    sections: [...digest.sections].map(([name, hash]) => ({ name, hash: shortHash(hash) })),
  };
}

/**
 * Digests of a recording name only the sections that changed since the digest before: most devices stand still, and an
 * idle guest's log is hardly anything else.
 */
export class DigestSections {
  readonly #known = new Map<string, number>();

  /** The digest as it is written. */
  changed(digest: EntryOf<'digest'>): EntryOf<'digest'> {
    const sections = digest.sections.filter(({ name, hash }) => this.#known.get(name) !== hash);
    this.#learn(sections);
    return { ...digest, sections };
  }

  /** The digest with all sections again. */
  complete(digest: EntryOf<'digest'>): EntryOf<'digest'> {
    this.#learn(digest.sections);
    return { ...digest, sections: [...this.#known].map(([name, hash]) => ({ name, hash })) };
  }

  #learn(sections: EntryOf<'digest'>['sections']): void {
    for (const { name, hash } of sections) this.#known.set(name, hash);
  }
}

/** A difference between two digests, the most telling part first; null when they are equal. */
export function compareDigests(
  expected: EntryOf<'digest'>,
  actual: EntryOf<'digest'>,
): { what: string; expected: string; actual: string } | null {
  const found = new Map(actual.sections.map((s) => [s.name, s.hash]));
  const differing = expected.sections.filter((s) => found.get(s.name) !== s.hash);
  const text = (hash: Uint8Array): string => toHex(hash).slice(0, 16);
  if (toHex(expected.cpuDevices) !== toHex(actual.cpuDevices)) {
    const names = differing.map((s) => s.name).join(', ') || 'machine state';
    return { what: names, expected: text(expected.cpuDevices), actual: text(actual.cpuDevices) };
  }
  if (toHex(expected.ram) !== toHex(actual.ram)) {
    return {
      what: 'ram',
      expected: `${expected.pages} written pages, ${text(expected.ram)}`,
      actual: `${actual.pages} written pages, ${text(actual.ram)}`,
    };
  }
  return null;
}
