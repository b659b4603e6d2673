import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { barsOf, isMissed, verdictOf, type Bar } from '../bars.js';
import { sample, run, system } from './sample.js';

function bar(value: number | null, more: Partial<Bar> = {}): Bar {
  return { title: '', unit: 'times', isAtLeast: true, must: 1.2, aim: 2, value, ...more };
}

describe('a bar', () => {
  it('is met at its limit and missed below it', () => {
    assert.equal(verdictOf(bar(1.2)), 'met; aim missed by 40 %');
    assert.equal(verdictOf(bar(2)), 'met, and the aim');
    assert.equal(verdictOf(bar(1.08)), '**missed by 10.0 %**');
  });

  it('is the other way round where less is better', () => {
    const most = { isAtLeast: false, must: 20, aim: 5 };
    assert.equal(verdictOf(bar(30, most)), '**missed by 50 %**');
    assert.equal(verdictOf(bar(5, most)), 'met, and the aim');
    assert.equal(isMissed(bar(20, most)), false);
    assert.equal(isMissed(bar(20.1, most)), true);
  });

  it('is neither met nor missed without a figure', () => {
    assert.equal(verdictOf(bar(null)), 'not measured');
    assert.equal(isMissed(bar(null)), false);
  });

  it('cannot be missed where there is only an aim', () => {
    assert.equal(isMissed(bar(0.5, { must: null })), false);
    assert.equal(verdictOf(bar(0.5, { must: null, aim: 1 })), 'aim missed by 50 %');
  });
});

describe('the bars of a benchmark', () => {
  const results = sample([
    system('guestreel-off', [run(10), run(10), run(100)]),
    system('guestreel-on', [run(10), run(11), run(12)]),
    system('guestreel-replay', [run(5.5)]),
    system('v86', [run(22)]),
    system('qemu', [], 'qemu is not installed'),
  ]);
  const valueOf = (title: string): number | null =>
    barsOf(results).find((candidate) => candidate.title === title)!.value;

  it('compare medians', () => {
    assert.equal(valueOf('gzip 8 MB, against v86 with nothing recorded'), 2);
    assert.equal(valueOf('recording on over off, whole run'), 1.1);
    assert.equal(valueOf('replay over recording, whole run'), 0.5);
  });

  it('are not measured where a peer is missing', () => {
    assert.equal(valueOf('whole run, against QEMU rr record'), null);
    assert.equal(valueOf('whole run, against plain QEMU'), null);
  });

  it('of the whole run are not measured with a part of the work', () => {
    const bars = barsOf({ ...results, words: ['crc'] });
    const measured = bars.filter(({ value }) => value !== null).map(({ title }) => title);
    assert.deepEqual(
      measured.filter((title) => /whole/.test(title)),
      [],
    );
    assert.ok(measured.includes('integer, against v86 with nothing recorded'));
  });

  it('ask more of the whole run than of its rows', () => {
    const [row, whole] = ['boot to userland', 'whole run'].map((title) =>
      barsOf(results).find((candidate) => candidate.title === `${title}, against v86 with nothing recorded`),
    );
    assert.deepEqual([row?.must, row?.aim, whole?.must, whole?.aim], [1.2, 2, 2, 3]);
  });
});
