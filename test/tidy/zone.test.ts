import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { relativePath, ROOT } from './sources.js';
import { zoneFindings } from './zone-rules.js';

/** What each rule must catch, and what it must let pass. A line ending in `// found` is one finding. */
const SAMPLE = `
import { TABLE } from './zone-sample-table.js';
const wall = () => Date.now(); // found
const stamp = (): Date => null!; // found
const chance = () => Math.random(); // found
const { sin } = Math; // found
const root = (x: number) => Math.sqrt(x) + Math.floor(x);
const power = (x: number) => x ** 3; // found
const exact = (w: number, b: bigint) => [2 ** w, b ** 3n];
const weak = (o: object) => new WeakRef(o); // found
const order = (a: string, b: string) => a.localeCompare(b); // found
const text = (n: number) => n.toLocaleString(); // found
const composed = (a: string) => a.normalize(); // found
const later = () => setTimeout(() => {}, 1); // found
const lazy = () => import('./zone-sample-table.js'); // found
let counter = 0; // found
const cache = new Map<string, number>(); // found
const names: string[] = []; // found
const scratch = new DataView(new ArrayBuffer(8)); // found
const known = new Set([1, 2]);
const none = new Uint8Array(0);
const nothing: Readonly<Record<string, number>> = {};
const nobody: readonly string[] = [];
const words = /[a-z]+/g;
const word = /[a-z]+/;
const isWord = (s: string) => word.test(s) && words.test(s); // found
const memo: Record<string, number> = { a: 1 };
const squares: number[] = [];
for (let i = 0; i < 4; i++) squares.push(i * i);
function remember(key: string) {
  memo[key] = 1; // found
  known.add(2); // found
  TABLE.push(3); // found
  const local: number[] = [];
  local.push(counter);
  delete memo.b; // found
  return local;
}
TABLE.push(4); // found
class Tally {
  static total = 0; // found
  static readonly limit = 3;
  count = 0;
  Date = 1;
}
const tally = new Tally(); // found
const field = (t: Tally) => t.Date;
const add = { add: (a: number, b: number) => a + b };
const sum = () => add.add(1, 2);
`;
const VIRTUAL: ReadonlyMap<string, string> = new Map([
  [`${ROOT}src/base/zone-sample.ts`, SAMPLE],
  [`${ROOT}src/base/zone-sample-table.ts`, 'export const TABLE = [1, 2];'],
]);

function createZoneProgram(): ts.Program {
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(`${ROOT}tsconfig.zone.json`, ts.sys.readFile).config,
    ts.sys,
    ROOT,
  );
  const host = ts.createCompilerHost(config.options, true);
  const { readFile, fileExists } = host;
  host.readFile = (path) => VIRTUAL.get(path) ?? readFile(path);
  host.fileExists = (path) => VIRTUAL.has(path) || fileExists(path);
  host.getSourceFile = (path, options) => {
    const source = host.readFile(path);
    return source === undefined ? undefined : ts.createSourceFile(path, source, options, true);
  };
  return ts.createProgram([...config.fileNames, ...VIRTUAL.keys()], config.options, host);
}

describe('the deterministic zone', () => {
  let program: ts.Program;
  beforeAll(() => {
    program = createZoneProgram();
  });

  it('is checked by rules that catch what they are for and nothing else', () => {
    const marked = SAMPLE.split('\n').flatMap((line, i) => (line.endsWith('// found') ? [i + 1] : []));
    const sample = program.getSourceFile([...VIRTUAL.keys()][0])!;
    const lines = zoneFindings(program, sample).map((f) => Number(f.split(':')[1]));
    expect([...new Set(lines)].sort((a, b) => a - b)).toEqual(marked);
  });

  it('names nothing that differs from run to run and keeps no state in modules', () => {
    const files = program
      .getSourceFiles()
      .filter((f) => relativePath(f).startsWith('src/') && !VIRTUAL.has(f.fileName));
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap((file) => zoneFindings(program, file))).toEqual([]);
  });
});
