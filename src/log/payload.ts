import { assert } from '../base/assert.js';
import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import { utf8Decode, utf8Encode } from '../base/platform.js';
import type { Shape } from './json-shape.js';

/** How the payload of one kind of message becomes bytes, and the schema that tells other tools. */
export interface PayloadCodec<T> {
  /** MCAP's message_encoding. */
  readonly messageEncoding: 'json' | 'guestreel';
  /** MCAP's schema encoding: `jsonschema`, or the plain list of fields of a binary layout. */
  readonly schemaEncoding: 'jsonschema' | 'guestreel-layout';
  readonly schemaText: string;
  /** `scratch` saves an allocation where much is encoded: the result may be a view of it. */
  encode(value: T, scratch?: ByteWriter): Uint8Array<ArrayBuffer>;
  /** Throws DAMAGED, naming `where`. Byte fields are views into `bytes`. */
  decode(bytes: Uint8Array, where: string): T;
}

/** One field of a binary payload. */
export interface Field<T> {
  /** Its layout in words, e.g. `u32`. */
  readonly layout: string;
  write(out: ByteWriter, value: T): void;
  read(input: ByteReader): T;
}

export const u8: Field<number> = { layout: 'u8', write: (o, v) => void o.u8(v), read: (i) => i.u8() };
export const u32: Field<number> = { layout: 'u32', write: (o, v) => void o.u32(v), read: (i) => i.u32() };
export const safe: Field<number> = {
  layout: 'u64 below 2^53',
  write: (o, v) => void o.safe(v),
  read: (i) => i.safe(),
};
export const flag: Field<boolean> = {
  layout: 'u8: 0 or 1',
  write: (o, v) => void o.u8(v ? 1 : 0),
  read(i) {
    const value = i.u8();
    if (value > 1) throw new CodedError('DAMAGED', `${value} where 0 or 1 is expected`, { where: i.source });
    return value === 1;
  },
};
export const text: Field<string> = {
  layout: 'u32 byte count, then UTF-8',
  write: (o, v) => void o.text(v),
  read: (i) => i.text(),
};
export const blob: Field<Uint8Array> = {
  layout: 'u32 byte count, then the bytes',
  write: (o, v) => void o.blob(v),
  read: (i) => i.blob(),
};
export const hash: Field<Uint8Array> = {
  layout: '32 bytes',
  write(o, v) {
    assert(v.length === 32, `a hash of ${v.length} bytes`);
    o.raw(v);
  },
  read: (i) => i.raw(32),
};
/** Only as the last field. */
export const rest: Field<Uint8Array> = {
  layout: 'all remaining bytes',
  write: (o, v) => void o.raw(v),
  read: (i) => i.raw(i.remaining),
};

type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

function writeFields<T>(fields: Fields<T>, out: ByteWriter, value: T): void {
  for (const name in fields) fields[name].write(out, value[name]);
}

function readFields<T>(fields: Fields<T>, input: ByteReader): T {
  const value = {} as T;
  for (const name in fields) value[name] = fields[name].read(input);
  return value;
}

function layoutText<T>(fields: Fields<T>): string {
  const lines: string[] = [];
  for (const name in fields) lines.push(`${name}: ${fields[name].layout}`);
  return lines.join('\n');
}

/** A u32 count, then that many records of `fields`. */
export function repeated<T>(fields: Fields<T>): Field<readonly T[]> {
  return {
    layout: `u32 count, then as often {${layoutText(fields).replaceAll('\n', '; ')}}`,
    write(out, values) {
      out.u32(values.length);
      for (const value of values) writeFields(fields, out, value);
    },
    read(input) {
      const count = input.u32();
      const values: T[] = [];
      // A lying count ends at the end of the bytes, as every field takes at least one.
      for (let i = 0; i < count; i++) values.push(readFields(fields, input));
      return values;
    },
  };
}

/** A little-endian binary payload: the fields one after the other. Extra properties of a value are not written. */
export function layout<T extends object>(fields: Fields<T>): PayloadCodec<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return {
    messageEncoding: 'guestreel',
    schemaEncoding: 'guestreel-layout',
    schemaText: layoutText(fields),
    encode(value, scratch) {
      const out = scratch?.clear() ?? new ByteWriter();
      for (const name of names) fields[name].write(out, value[name]);
      return scratch === undefined ? out.finish() : out.view();
    },
    decode(bytes, where) {
      const input = new ByteReader(bytes, where);
      const value = readFields(fields, input);
      input.end();
      return value;
    },
  };
}

/** A JSON payload. Of objects with declared fields only those are written. */
export function json<T extends object>(shape: Shape<T>): PayloadCodec<T> {
  return {
    messageEncoding: 'json',
    schemaEncoding: 'jsonschema',
    schemaText: JSON.stringify(shape.schema),
    encode(value) {
      const problem = shape.problem(value, 'value');
      assert(problem === undefined, `${problem}`);
      return utf8Encode(JSON.stringify(value, shape.fields === undefined ? undefined : topLevel(value, shape.fields)));
    },
    decode(bytes, where) {
      let value: unknown;
      try {
        value = JSON.parse(utf8Decode(bytes));
      } catch (cause) {
        throw new CodedError('DAMAGED', 'not valid JSON', { where, cause });
      }
      const problem = shape.problem(value, 'value');
      if (problem !== undefined) throw new CodedError('DAMAGED', `${problem}`, { where });
      return value as T;
    },
  };
}

/** A JSON.stringify replacer that keeps only `names` of the outermost object. */
function topLevel(root: object, names: readonly string[]): (this: unknown, key: string, value: unknown) => unknown {
  return function (key, value) {
    return this === root && !names.includes(key) ? undefined : value;
  };
}
