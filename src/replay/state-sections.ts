import { CodedError } from '../base/errors.js';
import { PAGE_SIZE } from '../base/units.js';
import { LAYOUT } from '../cpu/memory/layout.js';
import type { RamCapture } from '../cpu/memory/ram-capture.js';
import type { ReelReader } from '../log/reel-reader.js';
import type { StateSection } from '../log/state-blocks.js';
import type { StateReference } from '../log/state-reader.js';
import type { Machine, Section } from '../machine/machine.js';

/** Name of the section that holds RAM. */
const RAM = 'ram';
/** Name of the section of a snapshot that is no part of the machine: see standing.ts. All others are Machine.save()'s. */
export const STANDING_SECTION = 'standing';

/** The machine's state as sections for a recording: the machine can go on meanwhile. */
export function stateSections(machine: Machine): { readonly sections: StateSection[]; readonly ram: RamCapture } {
  const ram = machine.captureRam();
  return { sections: [...machine.save().sections, { name: RAM, pages: ram }], ram };
}

/**
 * Puts a machine into a recorded state. Returns the standing that is recorded with it, null for none. Throws MISMATCH when it is another machine's, DAMAGED for a bad file.
 */
export function loadState(machine: Machine, reader: ReelReader, state: StateReference): Uint8Array | null {
  const { physical } = machine.cpu;
  const sections: Section[] = [];
  let standing: Uint8Array | null = null;
  let hasRam = false;
  reader.loadState(state, {
    bytes: (name, data) => {
      if (name === STANDING_SECTION) standing = data;
      else sections.push({ name, bytes: data });
    },
    pages: (name, pageCount) => {
      if (name !== RAM || pageCount !== physical.pageCount) {
        throw new CodedError(
          'MISMATCH',
          `the recording has ${pageCount * PAGE_SIZE} bytes of ${name}, this machine ${physical.pageCount * PAGE_SIZE}`,
        );
      }
      hasRam = true;
      return physical.u8.subarray(LAYOUT.ram, LAYOUT.ram + physical.pageCount * PAGE_SIZE);
    },
  });
  if (!hasRam) throw new CodedError('MISMATCH', 'the recording has no RAM');
  machine.restore({ tick: state.tick, sections });
  return standing;
}
