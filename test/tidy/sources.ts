import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The repository's root folder, with a slash at the end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What holds nothing of the project's own: installed, built or produced by a run. In a linked worktree .git is a file. */
const FOREIGN = new Set(['.git', 'node_modules', 'dist', 'coverage', 'recordings', 'demo-output', '.cache']);

/** Paths of all files below `folder`, relative to the root, in a fixed order. */
export function filesBelow(folder = ''): string[] {
  const paths: string[] = [];
  for (const entry of readdirSync(ROOT + folder, { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (FOREIGN.has(entry.name)) continue;
    if (entry.isDirectory()) {
      paths.push(...filesBelow(path));
    } else if (entry.isFile()) {
      paths.push(path);
    }
  }
  return paths.sort();
}

export function textOf(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}

/** `path:line: problem`, as editors understand it. */
export function finding(file: ts.SourceFile, node: ts.Node, problem: string): string {
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return `${relativePath(file)}:${line + 1}: ${problem}`;
}

export function relativePath(file: ts.SourceFile): string {
  return file.fileName.startsWith(ROOT) ? file.fileName.slice(ROOT.length) : file.fileName;
}

/** Syntax only: types are not resolved. */
export function parse(path: string, text = textOf(path)): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
}

/** Calls `visit` for `node` and everything in it, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
