import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import { PAGE_SIZE } from '../base/units.js';
import type { PageStore } from '../core/page-store.js';
import type { RamCapture } from '../cpu/memory/ram-capture.js';
import type { ReelReader } from '../log/reel-reader.js';
import type { PageSource } from '../log/pages.js';
import type { StateSection } from '../log/state-blocks.js';
import type { StateReference } from '../log/state-reader.js';
import type { Machine, Section } from '../machine/machine.js';

/** Name of the section that holds RAM. */
const RAM = 'ram';
/**
 * A page store is two sections: its own name for the pages that exist, in order of their numbers, and with this added for
 * the numbers.
 */
const NUMBERS = '.numbers';
/** Name of the section of a snapshot that is no part of the machine: see standing.ts. All others are the machine's. */
export const STANDING_SECTION = 'standing';

/** Pages of one store that can be restored: 3 GiB, as much as fits into an array. */
const MAX_STORE_PAGES = 768 * 1024;

/** The machine's state as sections for a recording: the machine can go on meanwhile. */
export function stateSections(machine: Machine): { readonly sections: StateSection[]; readonly ram: RamCapture } {
  const ram = machine.captureRam();
  const sections: StateSection[] = [...machine.save().sections, { name: RAM, pages: ram }];
  for (const [name, store] of machine.stores) sections.push(...storeSections(name, store));
  return { sections, ram };
}

function storeSections(name: string, store: PageStore): StateSection[] {
  const pages = store.capture();
  const numbers = [...pages.keys()].sort((a, b) => a - b);
  const out = new ByteWriter(8 * numbers.length);
  for (const number of numbers) out.safe(number);
  const source: PageSource = { pageCount: numbers.length, page: (index) => pages.get(numbers[index])! };
  return [
    { name: name + NUMBERS, bytes: out.finish() },
    { name, pages: source },
  ];
}

function restoreStore(store: PageStore, name: string, numbers: Uint8Array | undefined, pages: Uint8Array | undefined) {
  if (numbers === undefined || pages === undefined) {
    throw new CodedError('MISMATCH', `the recording has no section "${name}" that this machine needs`);
  }
  const count = pages.length / PAGE_SIZE;
  if (numbers.length !== count * 8)
    throw new CodedError('DAMAGED', `${numbers.length} bytes for ${count} page numbers`);
  const input = new ByteReader(numbers, `section "${name}${NUMBERS}"`);
  const stored = new Map<number, Uint8Array>();
  for (let at = 0; at < pages.length; at += PAGE_SIZE) stored.set(input.safe(), pages.subarray(at, at + PAGE_SIZE));
  store.restore(stored);
}

/**
 * Puts a machine into a recorded state. Returns the standing that is recorded with it, null for none. Throws MISMATCH when it is another machine's, DAMAGED for a bad file.
 */
export function loadState(machine: Machine, reader: ReelReader, state: StateReference): Uint8Array | null {
  const { physical } = machine.cpu;
  const sections: Section[] = [];
  let standing: Uint8Array | null = null;
  let hasRam = false;
  const numbers = new Map<string, Uint8Array>();
  const pages = new Map<string, Uint8Array>();
  const numbersOf = new Set([...machine.stores.keys()].map((name) => name + NUMBERS));
  reader.loadState(state, {
    bytes: (name, data) => {
      if (name === STANDING_SECTION) standing = data;
      else if (numbersOf.has(name)) numbers.set(name, data);
      else sections.push({ name, bytes: data });
    },
    pages: (name, pageCount) => {
      if (machine.stores.has(name)) {
        // Not before its blocks are read is it known whether the file has so many.
        if (pageCount > MAX_STORE_PAGES) throw new CodedError('DAMAGED', `${pageCount} pages of ${name}`);
        const image = new Uint8Array(pageCount * PAGE_SIZE);
        pages.set(name, image);
        return { bytes: image };
      }
      if (name !== RAM || pageCount !== physical.pageCount) {
        throw new CodedError(
          'MISMATCH',
          `the recording has ${pageCount * PAGE_SIZE} bytes of ${name}, this machine ${physical.pageCount * PAGE_SIZE}`,
        );
      }
      hasRam = true;
      return physical.image;
    },
  });
  if (!hasRam) throw new CodedError('MISMATCH', 'the recording has no RAM');
  for (const [name, store] of machine.stores) {
    restoreStore(store, name, numbers.get(name + NUMBERS), pages.get(name));
  }
  machine.restore({ tick: state.tick, sections });
  return standing;
}
