import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deviceCommandLine } from '../devices.js';
import { commandLine, milestoneOf, partResults, rowSpans } from '../workloads.js';

const LINES = [
  'BOOT-OK up=1.00',
  'START crc up=1.00',
  'PART sieve 0.1 17984',
  'PART crc 0.2 1.5e+08',
  'END crc up=2.00',
  'START fp up=2.00',
  'PART sse 0.1 7',
  'PART x87 0.2 7',
  'END fp up=3.00',
  'ALL-DONE up=4.00',
];
const milestones = LINES.map((line, i) => ({ name: milestoneOf(line)!, at: (i + 1) * 10 }));

describe('the milestones of a guest', () => {
  it('are found in lines that the kernel writes into', () => {
    assert.equal(milestoneOf('[    1.2] random: START kernel-crc up=3.1'), 'START kernel-crc');
    assert.equal(milestoneOf('PART x87 0.1234 3.7e+11'), 'PART x87');
    assert.equal(milestoneOf('[    0.0] Linux version 6.1'), null);
  });

  it('divide a run into rows', () => {
    const spans = rowSpans(milestones, 0, 105);
    assert.deepEqual(spans, { boot: 10, integer: 30, sse2: 10, x87: 10, whole: 105 });
  });

  it('time the rows of devices alike', () => {
    const lines = ['START disk-read', 'END disk-read', 'START network', 'END network'].map((name, i) => ({
      name: milestoneOf(`${name} up=1`)!,
      at: i * i,
    }));
    assert.deepEqual(rowSpans(lines, 0, 9), { diskRead: 1, download: 5, whole: 9 });
  });

  it('leave out rows whose work did not end', () => {
    assert.deepEqual(rowSpans(milestones.slice(0, 3), 0, 40), { boot: 10, whole: 40 });
  });

  it('carry what the programs computed', () => {
    assert.deepEqual(partResults(LINES), { sieve: '17984', crc: '1.5e+08', sse: '7', x87: '7' });
  });
});

describe("the guest's command line", () => {
  it('names the work, or none', () => {
    assert.equal(commandLine(['crc', 'fp']), 'console=ttyS0 work=crc,fp');
    assert.equal(commandLine([]), 'console=ttyS0 work=none');
  });

  it('names the device, and the address of the host as the system has it', () => {
    assert.equal(deviceCommandLine({ device: 'disk', image: 'disk.img' }), 'console=ttyS0 quiet work=disk');
    const network = { device: 'network', port: 8080 } as const;
    assert.match(deviceCommandLine(network), / work=network url=http:\/\/10\.0\.2\.2:8080\/file$/);
    assert.match(
      deviceCommandLine(network, (port) => `${port}.external`),
      / url=http:\/\/8080\.external\/file$/,
    );
  });
});
