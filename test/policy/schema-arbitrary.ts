import fc from 'fast-check';

/** The part of JSON Schema that the policy's schema uses. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly propertyNames?: JsonSchema;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What to put where a free string is wanted: sometimes a pattern, sometimes none. */
const TEXTS = ['a', '^[a-z0-9-]{1,64}$', '^(a+)+$', '', '(', '.*', '\u{1f600}', 'boot', '^$'];

/** Documents that fit a schema. */
export function documents(root: JsonSchema): fc.Arbitrary<unknown> {
  const value = (schema: JsonSchema): fc.Arbitrary<unknown> => {
    if (schema.$ref !== undefined) return value(root.$defs![schema.$ref.replace('#/$defs/', '')]!);
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const types = [schema.type!].flat() as string[];
    return fc.oneof(...types.map((type) => ofType(type, schema)));
  };

  const ofType = (type: string, schema: JsonSchema): fc.Arbitrary<unknown> => {
    switch (type) {
      case 'boolean':
        return fc.boolean();
      case 'integer': {
        const { minimum: min, maximum: max } = schema as { minimum: number; maximum: number };
        return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max: Math.min(max, min + 10) }));
      }
      case 'string':
        if (schema.pattern === undefined) return fc.constantFrom(...TEXTS.filter((text) => text !== ''));
        return fc.stringMatching(new RegExp(schema.pattern));
      case 'array': {
        const { minItems: minLength = 0 } = schema;
        const items = value(schema.items!);
        return schema.uniqueItems === true
          ? fc.uniqueArray(items, { minLength, maxLength: 4 })
          : fc.array(items, { minLength, maxLength: 4 });
      }
      default:
        return objects(schema);
    }
  };

  const objects = (schema: JsonSchema): fc.Arbitrary<unknown> => {
    const { properties, required = [], minProperties = 0 } = schema;
    const enough = (object: object): boolean => Object.keys(object).length >= minProperties;
    if (properties === undefined) {
      const keys = value(schema.propertyNames!) as fc.Arbitrary<string>;
      return fc.dictionary(keys, value(schema.additionalProperties as JsonSchema), {
        minKeys: minProperties,
        maxKeys: 3,
      });
    }
    const fields = Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, value(inner)]));
    return fc.record(fields, { requiredKeys: [...required] }).filter(enough);
  };

  return value(root);
}
