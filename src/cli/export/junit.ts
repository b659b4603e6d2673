import type { ReelContents } from '../reel-contents.js';
import { printable } from '../output.js';
import { testCases, type TestCase } from './test-cases.js';

/** Text that XML 1.0 allows, with markup escaped; what it does not allow becomes U+FFFD. */
function xml(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/\p{Surrogate}/gu, '\ufffd')
      .replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)
  );
}

/** Line feeds in an attribute would be read as blanks. */
function attribute(text: string): string {
  return xml(text).replace(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** COM1's output between two ticks, Latin-1. */
function serialBetween(pieces: readonly { tick: number; text: string }[], begin: number, end: number): string {
  return pieces
    .filter(({ tick }) => tick >= begin && tick <= end)
    .map(({ text }) => text)
    .join('');
}

/** A word for a shell; labels come from the guest, and users paste commands. */
function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", `'\\''`)}'`;
}

function outcomeElement({ outcome, mark, end }: TestCase, file: string): string {
  const place = mark === null ? `${end}` : shellWord(`mark:${mark}`);
  const advice = `reel replay ${shellWord(file)} -until ${place} -live`;
  switch (outcome) {
    case 'pass':
      return '';
    case 'skip':
      return '<skipped/>';
    case 'unjudged':
      return '<skipped message="the phase ended without a verdict"/>';
    case 'fail':
      return `<failure message="${attribute(`failed at tick ${end}`)}">${xml(advice)}</failure>`;
    case 'unfinished':
      return `<error message="the recording ended inside the phase">${xml(advice)}</error>`;
  }
}

/** A JUnit report of the tests that ran in the guest. Times are guest time; no wall-clock time but the recording's. */
export function* junitReport({ file, reader }: ReelContents): Generator<string> {
  const { meta, end } = reader;
  const seconds = (ticks: number): string => ((ticks * meta.nsPerTick) / 1e9).toFixed(6);
  const cases = testCases(reader);
  const count = (...outcomes: TestCase['outcome'][]): number =>
    cases.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const pieces: { tick: number; text: string }[] = [];
  for (const entry of reader.cursor()) {
    if (entry.entry !== 'output' || entry.kind !== 'serial' || entry.channel !== 0) continue;
    pieces.push({ tick: entry.tick, text: String.fromCharCode(...entry.bytes) });
  }
  const attributes = [
    `name="${attribute(meta.name)}"`,
    `tests="${cases.length}"`,
    `failures="${count('fail')}"`,
    `errors="${count('unfinished')}"`,
    `skipped="${count('skip', 'unjudged')}"`,
    `time="${seconds(end.tick - meta.startTick)}"`,
    `timestamp="${attribute(meta.createdAt)}"`,
  ].join(' ');
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n';
  yield `  <testsuite ${attributes}>\n`;
  yield `    <properties><property name="recording" value="${attribute(meta.recordingId)}"/></properties>\n`;
  for (const test of cases) {
    const className = attribute([meta.name, ...test.path].join('.'));
    const time = seconds(test.end - test.begin);
    yield `    <testcase name="${attribute(test.name)}" classname="${className}" time="${time}">\n`;
    const outcome = outcomeElement(test, file);
    if (outcome !== '') yield `      ${outcome}\n`;
    const serial = serialBetween(pieces, test.begin, test.end);
    if (serial !== '') yield `      <system-out>${xml(serial)}</system-out>\n`;
    yield '    </testcase>\n';
  }
  yield '  </testsuite>\n</testsuites>\n';
}
