import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true, allowUnionTypes: true });

/** What is wrong with `value` by schemas/NAME.schema.json; nothing where it is right. */
export function schemaErrors(name: string, value: unknown): string[] {
  const id = `urn:guestreel:${name}:1`;
  if (ajv.getSchema(id) === undefined) {
    const file = new URL(`../../schemas/${name}.schema.json`, import.meta.url);
    ajv.addSchema(JSON.parse(readFileSync(file, 'utf8')) as object);
  }
  const validate = ajv.getSchema(id)!;
  void validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}
