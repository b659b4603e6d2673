import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formatTable } from '../../../src/log/format-table.js';

const FILE = new URL('../../../src/log/FORMAT.md', import.meta.url);
const MARKERS = /(<!-- entries:[^\n]*-->\n)([^]*?)(<!-- \/entries -->)/;

it('FORMAT.md has the table of the entries as they are (UPDATE_DOCS=1 writes it)', () => {
  const page = readFileSync(FILE, 'utf8');
  const expected = page.replace(
    MARKERS,
    (_all, begin: string, _table: string, end: string) => `${begin}\n${formatTable()}\n\n${end}`,
  );
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, expected);
  expect(MARKERS.test(page)).toBe(true);
  expect(readFileSync(FILE, 'utf8')).toBe(expected);
});
