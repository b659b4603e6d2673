/**
 * Writes what is derived from the protocol table (src/devices/backdoor/protocol.ts): `npx tsx guest-agent/generate.ts`.
 * A test compares.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import prettier from 'prettier';
import { headerText, nasmText, protocolPage } from '../src/devices/backdoor/protocol-text.js';

/** Text of each generated file, by its path from the project's root. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const style = await prettier.resolveConfig(fileURLToPath(import.meta.url));
  const page = await prettier.format(protocolPage(), { ...style, parser: 'markdown' });
  return new Map([
    ['guest-agent/protocol.inc', nasmText()],
    ['guest-agent/reel-protocol.h', headerText()],
    ['docs/backdoor-protocol.md', page],
  ]);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, text] of await generatedFiles()) {
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
  }
}
