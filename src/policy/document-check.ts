import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { assert } from '../base/assert.js';
import { CodedError } from '../base/errors.js';
import { JsonText, pointerStep } from './json-text.js';
import { POLICY_SCHEMA } from './policy-schema.js';
import { POLICY_TABLE_SCHEMA } from './policy-table-schema.js';

/** Compiles a schema when it is first asked for: 40 ms that most commands need not spend. */
const AJV = new Ajv2020({
  allErrors: true,
  verbose: true,
  strictTypes: false,
  validateSchema: false,
  schemas: { policy: POLICY_SCHEMA, table: POLICY_TABLE_SCHEMA },
});

/**
 * Parses `text` and checks it against a schema. Throws CONFIG with file, line and column of the first offending value,
 * the value, and what is allowed.
 */
export function checkDocument(schema: 'policy' | 'table', text: string, source: string): JsonText {
  const json = new JsonText(text, source);
  const validate = AJV.getSchema(schema);
  assert(validate !== undefined, `no schema ${schema}`);
  if (validate(json.value)) return json;
  // A wrapper around the error about the key itself.
  const errors = (validate.errors ?? []).filter((error) => error.keyword !== 'propertyNames');
  const placed = errors.map((error) => ({ error, offset: offsetOf(json, error) }));
  placed.sort((a, b) => a.offset - b.offset);
  const { error, offset } = placed[0]!;
  throw new CodedError('CONFIG', describeError(error), { where: json.where(offset) });
}

/** What is wrong with the value at `pointer`, for checks that no schema can express. */
export function documentError(json: JsonText, pointer: string, message: string, hint?: string): CodedError {
  return new CodedError('CONFIG', message, { where: json.where(json.offset(pointer)), hint });
}

function offsetOf(json: JsonText, error: ErrorObject): number {
  if (error.propertyName !== undefined) return json.keyOffset(error.instancePath + pointerStep(error.propertyName));
  if (error.keyword === 'additionalProperties') {
    const { additionalProperty } = error.params as { additionalProperty: string };
    return json.keyOffset(error.instancePath + pointerStep(additionalProperty));
  }
  return json.offset(error.instancePath);
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'an object',
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

function describeError(error: ErrorObject): string {
  const params = error.params as Record<string, never>;
  if (error.keyword === 'required') return `${subject(error)} lacks the field ${quoted(params['missingProperty'])}`;
  if (error.keyword === 'additionalProperties') {
    const known = Object.keys((error.parentSchema as { properties: object }).properties);
    return `${subject(error)} has no field ${quoted(params['additionalProperty'])}; allowed: ${known.join(', ')}`;
  }
  if (error.propertyName !== undefined)
    return `${quoted(error.propertyName)} is no such name; allowed: ${allowed(error)}`;
  return `${subject(error)} is ${quoted(error.data)}; allowed: ${allowed(error)}`;
}

function allowed(error: ErrorObject): string {
  const limit = error.schema as number;
  switch (error.keyword) {
    case 'const':
      return quoted(error.schema);
    case 'enum':
      return (error.schema as unknown[]).map(quoted).join(', ');
    case 'type':
      return [error.schema as string | string[]]
        .flat()
        .map((type) => TYPE_NAMES[type] ?? type)
        .join(' or ');
    case 'minimum':
    case 'maximum': {
      const { minimum, maximum } = error.parentSchema as { minimum?: number; maximum?: number };
      return `${minimum} to ${maximum}`;
    }
    case 'minItems':
    case 'minProperties':
      return `at least ${limit} in it`;
    case 'maxItems':
    case 'maxProperties':
      return `at most ${limit} in it`;
    case 'minLength':
      return `at least ${limit} characters`;
    case 'maxLength':
      return `at most ${limit} characters`;
    case 'uniqueItems':
      return 'each item once';
    default:
      // Patterns of text are said in words in the schema.
      return (error.parentSchema as { description: string }).description.replace(/\.$/, '');
  }
}

/** `rules[0].principals[1].ring` */
function subject(error: ErrorObject): string {
  if (error.instancePath === '') return 'the document';
  let path = '';
  for (const raw of error.instancePath.slice(1).split('/')) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path += /^[0-9]+$/.test(key) ? `[${key}]` : path === '' ? key : `.${key}`;
  }
  return path;
}

const MAX_QUOTED = 80;

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}...`;
}
