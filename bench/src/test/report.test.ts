import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderMarkdown } from '../report/markdown.js';
import { renderPlot } from '../report/plot.js';
import { run, sample, system } from './sample.js';

const results = sample(
  [
    system('guestreel-on', [
      run(10, { logBytes: 50_000, recordingBytes: 8e6 }),
      run(11, { logBytes: 50_000, recordingBytes: 8e6 }),
      run(12, { logBytes: 50_000, recordingBytes: 8e6 }),
    ]),
    system('v86', [run(22)]),
    system('qemu', [], 'qemu-system-i386 is not installed'),
  ],
  {
    kernels: [
      { tier: 'interpreter', kernel: 'crc', mips: 300 },
      { tier: 'all', kernel: 'crc', mips: 1500 },
    ],
  },
);

describe('the page', () => {
  const page = renderMarkdown(results, 'RESULTS.svg');

  it('has the medians and the extremes', () => {
    assert.match(page, /\| gzip 8 MB \| 11\.0 \| 22\.0 \|/);
    assert.match(page, /\| gzip 8 MB \| 10\.0–12\.0 \| 22\.0–22\.0 \|/);
  });

  it('says what was not measured and why', () => {
    assert.match(page, /title of qemu: qemu-system-i386 is not installed/);
  });

  it('judges every bar', () => {
    assert.match(
      page,
      /\| whole run, against v86 .* \| at least 2 \| at least 3 \| 2\.00 \| met; aim missed by 33 % \|/,
    );
    assert.match(page, /\| log of the whole run .* \| 50\.0 KB \| met; aim missed: 2\.5 times as much \|/);
    assert.match(page, /\| pause at a checkpoint, median .* \| not measured \|/);
  });

  it('has the kernels tier by tier, with a gap where there is no figure', () => {
    assert.match(page, /\| crc \| 300 \| {2}\| 1500 \|/);
  });

  it('has tables whose rows are as long as their heads', () => {
    let head = 0;
    for (const line of page.split('\n')) {
      const cells = line.startsWith('|') ? line.split('|').length : 0;
      if (cells > 0 && head > 0) assert.equal(cells, head, line);
      head = cells;
    }
  });

  it('tells of programs that computed something else in one system', () => {
    assert.doesNotMatch(page, /Different results/);
    const other = system('qemu', [run(9, { results: { crc: '2' } })]);
    assert.match(
      renderMarkdown(sample([...results.systems.slice(0, 2), other]), ''),
      /crc: 1 \(.*\); 2 \(title of qemu\)/,
    );
  });
});

describe('the page of the rounds', () => {
  it('says how often what was run', () => {
    const page = (runs: number): string =>
      renderMarkdown(
        sample([
          system(
            'guestreel-on',
            Array.from({ length: runs }, () => run(1)),
          ),
        ]),
        '',
      );
    assert.match(page(3), /; 3 rounds, every system once in each\n/);
    assert.match(page(9), /; 3 rounds, every system once in each, guestreel more often: 9 runs\n/);
  });
});

describe('the page of devices', () => {
  const devices = {
    disk: [
      system('guestreel-on', [run(1), run(2), run(4)]),
      system('v86', [run(4)]),
      system('qemu', [], 'failed in round 1'),
    ],
  };
  const page = renderMarkdown(sample([], { devices }), 'RESULTS.svg');

  it('has speeds, ratios and reasons', () => {
    assert.match(page, /\| disk, read, MB\/s \| 50\.3 \(25\.2–101\) \| 25\.2 \(25\.2–25\.2\) \| n\/a \|/);
    assert.match(page, /\| disk, read \| 2\.00 \| {2}\| {2}\| {2}\|/);
    assert.match(page, /- disk, title of qemu: failed in round 1/);
  });

  it('judges their bars', () => {
    assert.match(
      page,
      /\| disk, read, recording on \| at least 100 MB\/s .* \| 50\.3 MB\/s \| \*\*missed by 50 %\*\* \|/,
    );
    assert.match(page, /\| network, download, recording on .* \| not measured \|/);
  });

  it('leaves out what was not measured', () => {
    assert.doesNotMatch(page, /network, download, Mbit/);
    assert.doesNotMatch(page, /## Seconds/);
    assert.doesNotMatch(renderMarkdown(results, ''), /## Devices/);
  });

  it('tells of a guest that read something else', () => {
    const other = [...devices.disk.slice(0, 2), system('qemu', [run(1, { results: { disk_read: '2' } })])];
    const own = system('v86', [run(1, { results: { disk_read: '1' } })]);
    assert.match(renderMarkdown(sample([], { devices: { disk: [...other, own] } }), ''), /disk_read: 2 .*; 1 /);
  });
});

describe('the plot', () => {
  const plot = renderPlot(results);

  it('has a bar for every row of every system that was measured, and one in the legend', () => {
    assert.equal(plot.match(/<rect /g)?.length, 2 * 8 + 2);
    assert.match(plot, />11\.0 s</);
  });

  it('is readable on dark pages', () => {
    assert.match(plot, /prefers-color-scheme: dark/);
  });

  it('cuts off bars that are much too long, and says how long they are', () => {
    const slow = renderPlot(sample([system('guestreel-on', [run(100)]), system('v86', [run(10)])]));
    assert.match(slow, /100 s \(10\.0 times\)/);
  });

  it('escapes what has a meaning in XML', () => {
    const odd = { ...system('v86', [run(1)]), title: 'a < b & c' };
    assert.match(renderPlot(sample([odd])), /a &lt; b &amp; c/);
  });

  it('can be drawn of nothing', () => {
    assert.match(renderPlot(sample([])), /<\/svg>/);
  });
});
