/**
 * Writes what is derived from the schemas: for each its TypeScript types, and the schema itself as a module, since the
 * deterministic zone reads no files. Run with `npx tsx schemas/generate.ts` after changing a schema.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import prettier from 'prettier';

interface Target {
  readonly schema: string;
  readonly types: string;
  readonly module: string;
  readonly constant: string;
}

const TARGETS: readonly Target[] = [
  {
    schema: 'schemas/policy.schema.json',
    types: 'src/policy/policy-document.ts',
    module: 'src/policy/policy-schema.ts',
    constant: 'POLICY_SCHEMA',
  },
  {
    schema: 'schemas/policy-table.schema.json',
    types: 'src/policy/policy-table-document.ts',
    module: 'src/policy/policy-table-schema.ts',
    constant: 'POLICY_TABLE_SCHEMA',
  },
];

function pathOf(file: string): string {
  return fileURLToPath(new URL(`../${file}`, import.meta.url));
}

async function formatted(file: string, text: string): Promise<string> {
  const options = await prettier.resolveConfig(pathOf(file));
  return prettier.format(text, { ...options, filepath: pathOf(file) });
}

/** File, relative to the project's root, and the text it must have. */
export async function generatedFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { schema, types, module, constant } of TARGETS) {
    const banner = `/** Generated from ${schema} by schemas/generate.ts. */`;
    const document = JSON.parse(readFileSync(pathOf(schema), 'utf8')) as JSONSchema;
    const options = { bannerComment: banner, format: false, ignoreMinAndMaxItems: true, strictIndexSignatures: false };
    // compile() rewrites what it is given.
    const declarations = await compile(structuredClone(document), document.title!, options);
    files.set(types, await formatted(types, declarations));
    const text = `${banner}\nexport const ${constant} = ${JSON.stringify(document)} as const;\n`;
    files.set(module, await formatted(module, text));
  }
  return files;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [file, text] of await generatedFiles()) writeFileSync(pathOf(file), text);
}
