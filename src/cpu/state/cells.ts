import type { StateField } from '../../isa/cpu-state.js';
import { STATE } from '../../isa/cpu-state.js';

/** Fields of one 32-bit cell that are read and written by name, unsigned. */
const SCALARS = [
  'eip',
  'eflagsRest',
  'flagZ',
  'flagS',
  'flagC',
  'flagA',
  'gdtrBase',
  'gdtrLimit',
  'idtrBase',
  'idtrLimit',
  'cr0',
  'cr2',
  'cr3',
  'cr4',
  'cpl',
  'pendingDebug',
  'interruptShadow',
  'halted',
  'nmiBlocked',
  'nmiPending',
  'sysenterCs',
  'sysenterEsp',
  'sysenterEip',
  'fcw',
  'fsw',
  'ftag',
  'fop',
  'fip',
  'fcs',
  'fdp',
  'fds',
  'mxcsr',
  'faultVector',
  'faultError',
  'faultAddress',
  'instructionEip',
  'nextEip',
  'budget',
  'interruptPending',
  'flat',
  'tlbRead',
  'tlbWrite',
  'clockReads',
] as const satisfies readonly StateField[];

/** The memory behind a view. */
export class StateMemory {
  readonly u32: Uint32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(buffer: ArrayBuffer) {
    this.u32 = new Uint32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }
}

for (const name of SCALARS) {
  const index = STATE[name] >> 2;
  Object.defineProperty(StateMemory.prototype, name, {
    get(this: StateMemory): number {
      return this.u32[index];
    },
    set(this: StateMemory, value: number) {
      this.u32[index] = value;
    },
  });
}

/** StateMemory with a property for each scalar field. */
export const ScalarCells = StateMemory as new (
  buffer: ArrayBuffer,
) => StateMemory & Record<(typeof SCALARS)[number], number>;
