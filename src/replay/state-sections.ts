import { CodedError } from '../base/errors.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../base/units.js';
import { LAYOUT } from '../cpu/memory/layout.js';
import { pagesOf } from '../log/pages.js';
import type { ReelReader } from '../log/reel-reader.js';
import type { StateSection } from '../log/state-blocks.js';
import type { StateReference } from '../log/state-reader.js';
import type { Machine, Section } from '../machine/machine.js';

/** Name of the section that holds RAM; all others are Machine.save()'s. */
const RAM = 'ram';

/** The machine's state as sections for a recording: copies, so that the machine can go on. */
export function stateSections(machine: Machine): StateSection[] {
  const { physical } = machine.cpu;
  const ram = physical.u8.slice(LAYOUT.ram, LAYOUT.ram + physical.ramBytes);
  return [...machine.save().sections, { name: RAM, pages: pagesOf(ram) }];
}

/** Puts a machine into a recorded state. Throws MISMATCH when it is another machine's, DAMAGED for a bad file. */
export function loadState(machine: Machine, reader: ReelReader, state: StateReference): void {
  const { physical } = machine.cpu;
  const sections: Section[] = [];
  let hasRam = false;
  reader.loadState(state, {
    bytes: (name, data) => void sections.push({ name, bytes: data }),
    pages: (name, pageCount) => {
      if (name !== RAM || pageCount !== physical.ramBytes >>> PAGE_SHIFT) {
        throw new CodedError(
          'MISMATCH',
          `the recording has ${pageCount * PAGE_SIZE} bytes of ${name}, this machine ${physical.ramBytes}`,
        );
      }
      hasRam = true;
      return physical.u8.subarray(LAYOUT.ram, LAYOUT.ram + physical.ramBytes);
    },
  });
  if (!hasRam) throw new CodedError('MISMATCH', 'the recording has no RAM');
  machine.restore({ tick: state.tick, sections });
}
