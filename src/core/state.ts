import type { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';

/** How one field of a device's state becomes bytes and comes back. */
export interface Codec<T> {
  write(out: ByteWriter, value: T): void;
  read(input: ByteReader, current: T): T;
}

/** A device's guest-visible state, declared once: a forgotten field does not compile. */
export type StateSchema<S> = { readonly [K in keyof S]-?: Codec<S[K]> };

export const u8: Codec<number> = { write: (o, v) => void o.u8(v), read: (i) => i.u8() };
export const u16: Codec<number> = { write: (o, v) => void o.u16(v), read: (i) => i.u16() };
export const u32: Codec<number> = { write: (o, v) => void o.u32(v), read: (i) => i.u32() };
export const i8: Codec<number> = { write: (o, v) => void o.u8(v & 0xff), read: (i) => (i.u8() << 24) >> 24 };
export const i16: Codec<number> = { write: (o, v) => void o.u16(v & 0xffff), read: (i) => (i.u16() << 16) >> 16 };
export const i32: Codec<number> = { write: (o, v) => void o.u32(v >>> 0), read: (i) => i.u32() | 0 };
/** Safe non-negative integers: ticks, counts. */
export const safe: Codec<number> = { write: (o, v) => void o.safe(v), read: (i) => i.safe() };
export const bool: Codec<boolean> = { write: (o, v) => void o.u8(v ? 1 : 0), read: (i) => i.u8() !== 0 };
export const text: Codec<string> = { write: (o, v) => void o.text(v), read: (i) => i.text() };

export function nullable<T>(inner: Codec<T>): Codec<T | null> {
  return {
    write: (o, v) => {
      o.u8(v === null ? 0 : 1);
      if (v !== null) inner.write(o, v);
    },
    read: (i, current) => (i.u8() === 0 ? null : inner.read(i, current as T)),
  };
}

/** Byte arrays of a fixed length are restored in place, so that others may hold a reference. */
export const fixedBytes: Codec<Uint8Array> = {
  write: (o, v) => void o.blob(v),
  read: (i, current) => {
    const stored = i.blob();
    if (stored.length !== current.length) {
      throw new CodedError('MISMATCH', `${stored.length} bytes of state where ${current.length} fit`, {
        where: i.source,
      });
    }
    current.set(stored);
    return current;
  },
};

/** Byte queues and buffers of varying length. */
export const bytes: Codec<Uint8Array> = { write: (o, v) => void o.blob(v), read: (i) => i.blob().slice() };

export function list<T>(inner: Codec<T>): Codec<T[]> {
  return {
    write: (o, v) => {
      o.u32(v.length);
      for (const item of v) inner.write(o, item);
    },
    read: (i) => {
      const count = i.u32();
      const items: T[] = [];
      for (let n = 0; n < count; n++) items.push(inner.read(i, undefined as T));
      return items;
    },
  };
}

/** Nested records, e.g. the three counters of a PIT. Restored in place when the current value exists. */
export function record<S extends object>(schema: StateSchema<S>): Codec<S> {
  return {
    write: (o, v) => writeState(o, schema, v),
    read: (i, current) => {
      const target = current ?? ({} as S);
      readState(i, schema, target);
      return target;
    },
  };
}

/** A fixed number of records, restored in place. */
export function fixedList<T>(inner: Codec<T>): Codec<T[]> {
  return {
    write: (o, v) => {
      for (const item of v) inner.write(o, item);
    },
    read: (i, current) => {
      for (let n = 0; n < current.length; n++) current[n] = inner.read(i, current[n]!);
      return current;
    },
  };
}

export function writeState<S extends object>(out: ByteWriter, schema: StateSchema<S>, state: S): void {
  for (const key in schema) schema[key].write(out, state[key]);
}

export function readState<S extends object>(input: ByteReader, schema: StateSchema<S>, state: S): void {
  for (const key in schema) state[key] = schema[key].read(input, state[key]);
}
