/** What a JSON value must look like: one declaration gives the check, the JSON Schema text and, by T, the type. */
export interface Shape<T> {
  /** JSON Schema, draft 2020-12. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly optional?: boolean;
  /** The fields of an object, for writing it without what does not belong to it. */
  readonly fields?: readonly string[];
  /** Undefined if `value` fits, else where and how it does not, starting with `path`. */
  problem(value: unknown, path: string): string | undefined;
  /** Only for the type system. */
  readonly example?: T;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function leaf<T>(schema: Record<string, unknown>, what: string, fits: (value: unknown) => boolean): Shape<T> {
  return { schema, problem: (value, path) => (fits(value) ? undefined : `${path} is not ${what}`) };
}

export const text: Shape<string> = leaf({ type: 'string' }, 'a string', (value) => typeof value === 'string');

/** Non-negative safe integers: ticks, sizes, counts. */
export const count: Shape<number> = leaf(
  { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  'a whole number from 0 to 2^53 - 1',
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);

/** Positive whole numbers up to `maximum`. */
export function upTo(maximum: number): Shape<number> {
  return leaf(
    { type: 'integer', minimum: 1, maximum },
    `a whole number from 1 to ${maximum}`,
    (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maximum,
  );
}

/** Any JSON object; what is in it is somebody else's. */
export const anyObject: Shape<Readonly<Record<string, unknown>>> = leaf({ type: 'object' }, 'an object', isPlainObject);

/** SHA-256 as 64 lower-case hexadecimal digits. */
export const sha256Text: Shape<string> = leaf(
  { type: 'string', pattern: '^[0-9a-f]{64}$' },
  'a SHA-256 in hexadecimal',
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
);

export function oneOf<const T extends string>(values: readonly T[]): Shape<T> {
  return leaf({ enum: values }, `one of ${values.join(', ')}`, (value) =>
    (values as readonly unknown[]).includes(value),
  );
}

export function optional<T>(inner: Shape<T>): Shape<T | undefined> {
  return {
    schema: inner.schema,
    optional: true,
    problem: (value, path) => (value === undefined ? undefined : inner.problem(value, path)),
  };
}

export function list<T>(inner: Shape<T>): Shape<readonly T[]> {
  return {
    schema: { type: 'array', items: inner.schema },
    problem(value, path) {
      if (!Array.isArray(value)) return `${path} is not an array`;
      for (let i = 0; i < value.length; i++) {
        const problem = inner.problem(value[i], `${path}[${i}]`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    },
  };
}

/** An object with these fields; others are let through, so that tools may annotate. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  const entries = Object.entries(fields) as [string, Shape<unknown>][];
  return {
    schema: {
      type: 'object',
      required: entries.filter(([, shape]) => shape.optional !== true).map(([name]) => name),
      properties: Object.fromEntries(entries.map(([name, shape]) => [name, shape.schema])),
    },
    fields: entries.map(([name]) => name),
    problem(value, path) {
      if (!isPlainObject(value)) return `${path} is not an object`;
      for (const [name, shape] of entries) {
        // Own fields only: the file's author does not choose what Object.prototype holds.
        const problem = shape.problem(Object.hasOwn(value, name) ? value[name] : undefined, `${path}.${name}`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    },
  };
}
