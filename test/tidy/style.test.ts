import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { filesBelow, finding, parse, textOf, walk } from './sources.js';

const MAX_LINES = 400;
/** Files that are one table from their first line to their last. */
const TABLES: readonly string[] = [];

/** Of the title itself, and together with the groups it stands in. */
const MIN_WORDS = 2;
const MIN_WORDS_WITH_GROUPS = 4;
const PLACEHOLDER = /%[sdifjop]|\$\w|\$\{/;
const TEST_FUNCTIONS = /^(it|test)$/;

/** The function and the modifiers of a call like `it.each([...])('name', ...)`: ['it', 'each']. */
function calleeParts(e: ts.Expression): string[] {
  if (ts.isIdentifier(e)) return [e.text];
  if (ts.isPropertyAccessExpression(e)) {
    const object = calleeParts(e.expression);
    return object.length === 0 ? [] : [...object, e.name.text];
  }
  if (ts.isCallExpression(e)) return calleeParts(e.expression);
  if (ts.isTaggedTemplateExpression(e)) return calleeParts(e.tag);
  return [];
}

/** Titles of the describe() calls around `node`, outermost first. */
function groupsAround(node: ts.Node): string[] {
  const titles: string[] = [];
  for (let at = node.parent; at !== undefined; at = at.parent) {
    if (!ts.isCallExpression(at) || calleeParts(at.expression)[0] !== 'describe') continue;
    titles.unshift(at.arguments[0].getText().slice(1, -1));
  }
  return titles;
}

function wordCount(text: string): number {
  return text.trim().split(/\s+/).length;
}

/** Names that are no sentences, and tests that do not run or keep others from running. */
function testFindings(path: string, text?: string): string[] {
  const file = parse(path, text);
  const found: string[] = [];
  walk(file, (node) => {
    if (!ts.isCallExpression(node)) return;
    const [name, ...modifiers] = calleeParts(node.expression);
    if (name === undefined || !/^(it|test|describe)$/.test(name)) return;
    for (const modifier of modifiers) {
      if (/^(only|skip|todo|fails)$/.test(modifier))
        found.push(finding(file, node, `.${modifier} is not for committed tests`));
    }
    const [title] = node.arguments;
    if (!TEST_FUNCTIONS.test(name) || title === undefined) return;
    if (!ts.isStringLiteralLike(title) && !ts.isTemplateExpression(title)) return;
    const sentence = title.getText(file).slice(1, -1);
    if (/\bshould\b/i.test(sentence)) found.push(finding(file, title, 'a test says what happens, not what should'));
    // What is filled in for each case has words of its own.
    if (PLACEHOLDER.test(sentence)) return;
    const whole = [...groupsAround(node), sentence].join(' ');
    if (wordCount(sentence) < MIN_WORDS || wordCount(whole) < MIN_WORDS_WITH_GROUPS) {
      found.push(finding(file, title, `"${whole}" is no sentence`));
    }
  });
  return found;
}

describe('the sources', () => {
  const sources = filesBelow('src').filter((path) => path.endsWith('.ts'));

  it('are files that can be read in one go', () => {
    const lines = (path: string): number => textOf(path).split('\n').length - 1;
    const long = sources.filter((path) => lines(path) > MAX_LINES && !TABLES.includes(path));
    expect(long.map((path) => `${path}: ${lines(path)} lines`)).toEqual([]);
    expect(TABLES.filter((path) => !sources.includes(path) || lines(path) <= MAX_LINES)).toEqual([]);
  });

  it('are named in lower case with hyphens', () => {
    expect(
      sources.filter((path) => !/^src\/([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(path)),
    ).toEqual([]);
    expect(sources.filter((path) => /\b(manager|helpers?|utils?|common|misc)\b/.test(path))).toEqual([]);
  });

  it('leave no work for later', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b/;
    expect(sources.filter((path) => marks.test(textOf(path)))).toEqual([]);
  });
});

describe('the tests', () => {
  const tests = filesBelow('test').filter((path) => path.endsWith('.ts'));

  it('are all run and have names that are sentences', () => {
    const wrong =
      "it.only('runs and stops here', f); it('should run for long', f); it.each([1])('short', f); describe.skip('x', f);";
    expect(testFindings('test/sample.ts', wrong)).toHaveLength(4);
    expect(testFindings('test/sample.ts', "it('stops at a mark', f); describe('x', f); /a/.test('b');")).toEqual([]);
    expect(tests.flatMap((path) => testFindings(path))).toEqual([]);
  });

  it('lie where vitest finds them', () => {
    const withTests = tests.filter(
      (path) => /from 'vitest'/.test(textOf(path)) && /^\s*(it|test)(\.each)?\(/m.test(textOf(path)),
    );
    const libraries = ['test/conformance/devices/conformance.ts'];
    expect(withTests.filter((path) => !path.endsWith('.test.ts') && !libraries.includes(path))).toEqual([]);
  });
});
