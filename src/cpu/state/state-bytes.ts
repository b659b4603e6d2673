import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { StateField } from '../../isa/cpu-state.js';
import { STATE, STATE_FIELDS, fieldStride } from '../../isa/cpu-state.js';

/** The cells that together hold EFLAGS; their values are not unique, so EFLAGS is saved instead. */
const FLAG_CELLS = new Set<StateField>(['eflagsRest', 'flagZ', 'flagS', 'flagC', 'flagA']);

/** Bytes of one element that count; a register slot's padding does not. */
function meaningfulBytes(name: StateField): number {
  return STATE_FIELDS[name].type === 'f80' ? 10 : fieldStride(name);
}

function* guestFields(): Generator<StateField> {
  for (const name of Object.keys(STATE_FIELDS) as StateField[]) {
    if (STATE_FIELDS[name].guest && !FLAG_CELLS.has(name)) yield name;
  }
}

/** Bytes that are saved together, with padding behind them. */
interface Run {
  readonly address: number;
  bytes: number;
  padded: number;
}

/** Every element of every architectural field, in order of declaration; those without padding in between as one. */
function runs(): Run[] {
  const found: Run[] = [];
  for (const name of guestFields()) {
    const stride = fieldStride(name);
    const bytes = meaningfulBytes(name);
    const count = STATE_FIELDS[name].count ?? 1;
    for (let i = 0; i < count; i++) {
      const address = STATE[name] + i * stride;
      const last = found.at(-1);
      const isNext = last !== undefined && last.bytes === last.padded && last.address + last.bytes === address;
      if (isNext) {
        last.bytes += bytes;
        last.padded += stride;
      } else found.push({ address, bytes, padded: stride });
    }
  }
  return found;
}

const RUNS: readonly Run[] = runs();

/** Zeroes every architectural field. */
export function clearFields(view: DataView): void {
  for (const { address, padded } of RUNS) new Uint8Array(view.buffer, address, padded).fill(0);
}

export function saveFields(view: DataView, eflags: number, out: ByteWriter): void {
  out.u32(eflags >>> 0);
  for (const { address, bytes } of RUNS) out.raw(new Uint8Array(view.buffer, address, bytes));
}

/** Returns EFLAGS. */
export function restoreFields(view: DataView, input: ByteReader): number {
  const eflags = input.u32();
  for (const { address, bytes, padded } of RUNS) {
    const slot = new Uint8Array(view.buffer, address, padded);
    slot.fill(0);
    slot.set(input.raw(bytes));
  }
  return eflags;
}
