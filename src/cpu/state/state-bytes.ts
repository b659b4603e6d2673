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

/** Address of each element of each architectural field, in order of declaration. */
function* elements(): Generator<{ address: number; bytes: number; padded: number }> {
  for (const name of guestFields()) {
    const stride = fieldStride(name);
    const count = STATE_FIELDS[name].count ?? 1;
    for (let i = 0; i < count; i++) {
      yield { address: STATE[name] + i * stride, bytes: meaningfulBytes(name), padded: stride };
    }
  }
}

/** Zeroes every architectural field. */
export function clearFields(view: DataView): void {
  for (const { address, padded } of elements()) new Uint8Array(view.buffer, address, padded).fill(0);
}

export function saveFields(view: DataView, eflags: number, out: ByteWriter): void {
  out.u32(eflags >>> 0);
  for (const { address, bytes } of elements()) out.raw(new Uint8Array(view.buffer, address, bytes));
}

/** Returns EFLAGS. */
export function restoreFields(view: DataView, input: ByteReader): number {
  const eflags = input.u32();
  for (const { address, bytes, padded } of elements()) {
    const slot = new Uint8Array(view.buffer, address, padded);
    slot.fill(0);
    slot.set(input.raw(bytes));
  }
  return eflags;
}
