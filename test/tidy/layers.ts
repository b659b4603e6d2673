import { posix } from 'node:path';
import ts from 'typescript';
import { filesBelow, finding, parse, walk } from './sources.js';

/** Who may import whom. Everything below a layer is listed, so that a line can be read alone. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  core: ['base'],
  isa: ['base', 'core'],
  cpu: ['base', 'core', 'isa'],
  devices: ['base', 'core'],
  log: ['base', 'core'],
  policy: ['base', 'core'],
  machine: ['base', 'core', 'isa', 'cpu', 'devices', 'log', 'policy'],
  replay: ['base', 'core', 'isa', 'cpu', 'devices', 'log', 'policy', 'machine'],
  // A debugger sees a timeline, never a machine.
  gdb: ['base', 'core', 'isa', 'log', 'policy', 'replay'],
  harness: ['base', 'core', 'isa', 'cpu', 'devices', 'log', 'policy', 'machine', 'replay'],
  // It implements the interfaces of the others.
  host: ['base', 'core', 'isa', 'cpu', 'devices', 'log', 'policy', 'machine', 'replay', 'gdb', 'harness'],
  'index.ts': ['base', 'core', 'isa', 'cpu', 'devices', 'log', 'policy', 'machine', 'replay', 'gdb', 'harness', 'host'],
  cli: [
    'base',
    'core',
    'isa',
    'cpu',
    'devices',
    'log',
    'policy',
    'machine',
    'replay',
    'gdb',
    'harness',
    'host',
    'index.ts',
  ],
};

/** Where programs and users of the library come in. */
export const ENTRY_FILES: readonly string[] = [
  'src/index.ts',
  'src/cli/main.ts',
  'src/cli/vectors.ts',
  'src/cli/demo.ts',
];

/** They write committed pages and tables; tests run them, and no program. */
export const GENERATOR_FILES: readonly string[] = [
  'src/cli/qmp/qmp-reference.ts',
  'src/cli/reference.ts',
  'src/devices/backdoor/protocol-text.ts',
  'src/isa/reference.ts',
  'src/isa/undefined-opcodes.ts',
  'src/log/format-table.ts',
];

export interface Import {
  readonly from: string;
  /** A path from the root, or the name of a package or of one of Node's modules. */
  readonly target: string;
  readonly isRelative: boolean;
  /** Gone in the JavaScript. */
  readonly isType: boolean;
  /** `path:line` of the import. */
  readonly where: string;
}

/** The layer a source file belongs to: its folder below src, or its own name there. */
export function layerOf(path: string): string {
  return path.split('/')[1];
}

/** The source file that the specifier `./name.js` in `from` means. */
function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** Every import of a file: static, dynamic, of types, and of workers by `new URL(..., import.meta.url)`. */
export function importsOf(path: string, text?: string): Import[] {
  const file = parse(path, text);
  const imports: Import[] = [];
  const add = (node: ts.Node, specifier: string, isType: boolean): void => {
    const isRelative = specifier.startsWith('.');
    const target = isRelative ? resolve(path, specifier) : specifier;
    imports.push({ from: path, target, isRelative, isType, where: finding(file, node, '').slice(0, -2) });
  };
  walk(file, (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const isType = ts.isImportDeclaration(node)
        ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
        : node.isTypeOnly;
      add(node, (node.moduleSpecifier as ts.StringLiteral).text, isType);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (ts.isStringLiteralLike(specifier)) add(node, specifier.text, false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, (node.argument.literal as ts.StringLiteral).text, true);
    } else if (ts.isNewExpression(node) && node.expression.getText(file) === 'URL') {
      const [specifier] = node.arguments ?? [];
      if (specifier !== undefined && ts.isStringLiteralLike(specifier) && /\.[jt]s$/.test(specifier.text))
        add(node, specifier.text, false);
    }
  });
  return imports;
}

/** Imports against the direction of the layers. */
export function layerFindings(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, target, isRelative, where }) => {
    if (!isRelative) return [];
    const layer = layerOf(from);
    const allowed = MAY_IMPORT[layer];
    if (allowed === undefined) return [`${where}: ${layer} is no layer of ARCHITECTURE.md`];
    if (!target.startsWith('src/')) return [`${where}: ${target} is outside src`];
    const other = layerOf(target);
    return other === layer || allowed.includes(other) ? [] : [`${where}: ${layer} may not import ${other}`];
  });
}

/** Circles of files that need each other to load, each once, as a chain of paths. Imports of types do not count. */
export function importCircles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const i of imports) {
    if (i.isRelative && !i.isType) next.set(i.from, [...(next.get(i.from) ?? []), i.target]);
  }
  const finished = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, chain: readonly string[]): void => {
    const at = chain.indexOf(file);
    if (at >= 0) circles.push([...chain.slice(at), file].join(' -> '));
    if (at >= 0 || finished.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...chain, file]);
    finished.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return circles;
}

/** Source files that nothing reaches from the entry files and the generators. */
export function deadFiles(
  files: readonly string[],
  imports: readonly Import[],
  roots: readonly string[] = [...ENTRY_FILES, ...GENERATOR_FILES],
): string[] {
  const reached = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const i of imports) {
      if (i.from !== file) continue;
      if (i.isRelative) visit(i.target);
      else packages.add(i.target);
    }
  };
  roots.forEach(visit);
  // Declarations of a package without types are used when the package is; they are named after it.
  const declares = (file: string): boolean =>
    /\/([\w-]+)\.d\.ts$/.test(file) && packages.has(/\/([\w-]+)\.d\.ts$/.exec(file)![1]);
  return files.filter((file) => !reached.has(file) && !declares(file));
}

export function sourceFiles(): string[] {
  return filesBelow('src').filter((path) => path.endsWith('.ts'));
}
