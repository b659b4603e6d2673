import { describe, expect, it } from 'vitest';
import { withReel } from '../../src/cli/reel-contents.js';
import { testCases } from '../../src/cli/export/test-cases.js';
import type { LogEntry } from '../../src/log/entries.js';
import { mark, recordingOf, serial } from './recordings.js';
import { desk } from './run-cli.js';

const [PASS, FAIL, SKIP] = [0, 1, 2];

async function casesOf(entries: readonly LogEntry[]): Promise<string[]> {
  const file = await recordingOf(entries, 10_000);
  return withReel(file, ({ reader }) =>
    testCases(reader).map(
      ({ path, name, outcome, begin, end }) => `${[...path, name].join('/')} ${outcome} ${begin}-${end}`,
    ),
  );
}

describe('testCases', () => {
  it('makes a case of a phase with a verdict of its name', async () => {
    const entries = [
      mark('begin', 'net', 2000, 0, 1),
      mark('verdict', 'net', 2500, FAIL),
      mark('end', 'net', 3000, 0, 1),
    ];
    expect(await casesOf(entries)).toEqual(['net fail 2000-3000']);
  });

  it('takes a verdict right after the end of its phase', async () => {
    const entries = [
      mark('begin', 'net', 2000, 0, 1),
      mark('end', 'net', 3000, 0, 1),
      mark('verdict', 'net', 3001, SKIP),
    ];
    expect(await casesOf(entries)).toEqual(['net skip 2000-3000']);
  });

  it('makes a case of every verdict of another name, and a group of the phase around them', async () => {
    const entries = [
      mark('begin', 'net', 2000, 0, 1),
      mark('verdict', 'ping', 2500, PASS),
      mark('verdict', 'dns', 2600, FAIL),
      mark('end', 'net', 3000, 0, 1),
    ];
    expect(await casesOf(entries)).toEqual(['net/ping pass 2000-2500', 'net/dns fail 2000-2600']);
  });

  it('keeps verdicts of the same name apart when the phase is run twice', async () => {
    const round = (tick: number, id: number, verdict: number): LogEntry[] => [
      mark('begin', 'flaky', tick, 0, id),
      mark('verdict', 'flaky', tick + 1, verdict),
      mark('end', 'flaky', tick + 2, 0, id),
    ];
    expect(await casesOf([...round(2000, 1, FAIL), ...round(3000, 2, PASS)])).toEqual([
      'flaky fail 2000-2002',
      'flaky pass 3000-3002',
    ]);
  });

  it('calls nothing a pass that nobody judged', async () => {
    const entries = [
      mark('begin', 'a', 2000, 0, 1),
      mark('end', 'a', 2100, 0, 1),
      mark('begin', 'b', 2200, 0, 2),
      mark('verdict', 'odd', 2300, 9),
      mark('begin', 'c', 2400, 0, 3),
    ];
    expect(await casesOf(entries)).toEqual([
      'a unjudged 2000-2100',
      'b/odd fail 2200-2300',
      'b unfinished 2200-10000',
      'b/c unfinished 2400-10000',
    ]);
  });
});

it('reel export --as junit counts, escapes, and shows the serial output of each test', async () => {
  const entries = [
    mark('begin', 'a<b>&"c"', 2000, 0, 1),
    serial('out ]]> \x1b[31m & more', 2001),
    mark('verdict', 'a<b>&"c"', 2002, FAIL),
    mark('end', 'a<b>&"c"', 252_000, 0, 1),
    mark('begin', 'fine', 300_000, 0, 2),
    mark('verdict', 'fine', 300_001, PASS),
    mark('end', 'fine', 300_002, 0, 2),
  ];
  const at = desk();
  expect(await at.run(['export', await recordingOf(entries, 400_000), '--as', 'junit'])).toBe(0);
  const report = at.stdout.text;
  expect(report).toContain('tests="2" failures="1" errors="0" skipped="0"');
  expect(report).toContain('<testcase name="a&lt;b&gt;&amp;&quot;c&quot;" classname="tests" time="0.001000">');
  expect(report).toContain('<system-out>out ]]&gt; \ufffd[31m &amp; more</system-out>');
  expect(report).toContain("-until 'mark:a&lt;b&gt;&amp;&quot;c&quot;' -live");
  expect(report).toMatch(/<testcase name="fine"[^>]*>\n {4}<\/testcase>/);
});

it('a label never escapes from the quotes of the command that is suggested', async () => {
  const label = "x'; rm -rf ~ #\n";
  const entries = [mark('begin', label, 2000, 0, 1), mark('verdict', label, 2001, FAIL)];
  const at = desk();
  await at.run(['export', await recordingOf(entries, 3000), '--as', 'junit']);
  expect(at.stdout.text).toContain(`-until 'mark:x'\\''; rm -rf ~ #\\x0a' -live`);
});
