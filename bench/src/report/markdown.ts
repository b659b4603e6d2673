import { barsOf, isMissed, verdictOf, type Bar } from '../bars.js';
import { DEVICE_ROWS, DEVICES, DISK_BYTES, DOWNLOAD_BYTES, type DeviceRow } from '../devices.js';
import { TIERS, type KernelSpeed } from '../probes/kernels.js';
import type { PauseReport } from '../children/pauses.js';
import {
  disagreements,
  figureOf,
  measuredRows,
  mipsOf,
  secondsOf,
  speedOf,
  speedup,
  type Results,
} from '../results.js';
import { summarize, type Summary } from '../statistics.js';
import type { SystemId } from '../systems/system.js';
import { KERNELS, MEMORY_MIB, type Row } from '../workloads.js';
import { number, table, times } from './format.js';

const ON: SystemId = 'guestreel-on';

/** How often what was run. */
function roundsText({ rounds, systems }: Results): string {
  const own = systems.find(({ id }) => id === ON)?.runs.length ?? rounds;
  const text = `${rounds} ${rounds === 1 ? 'round' : 'rounds'}, every system once in each`;
  return own > rounds ? `${text}, guestreel more often: ${own} runs` : text;
}

function hostSection(results: Results): string {
  const { host } = results;
  const peers = [host.v86 === null ? null : `v86 ${host.v86}`, host.qemu].filter((text) => text !== null);
  const [kernel, kernelVersion] = host.guest;
  const guest = kernel === undefined ? 'a Linux kernel' : `Debian's ${kernel} ${kernelVersion ?? ''}`;
  return `- ${host.cpu}, ${host.cores} cores, ${host.memoryGib} GiB, ${host.system}; load before the first round ${host.loadBefore}
- Node ${host.node} (V8 ${host.v8}), guestreel ${host.guestreel}${peers.map((peer) => `, ${peer}`).join('')}
- guest: ${guest.trim()} with busybox, ${MEMORY_MIB} MiB, console on the serial port
- ${host.date}; ${roundsText(results)}`;
}

function timesTable(results: Results, cell: (summary: Summary) => string): string {
  const measured = results.systems.filter(({ missing }) => missing === null);
  const rows = measuredRows(results).map(({ id, title }) => [
    title,
    ...measured.map((system) => {
      const summary = secondsOf(results, system.id, id);
      return summary === null ? '' : cell(summary);
    }),
  ]);
  return table(['', ...measured.map(({ title }) => title)], rows);
}

function missingLines({ systems }: Results): string {
  const lines = systems.flatMap(({ title, missing }) => (missing === null ? [] : [`- ${title}: ${missing}`]));
  return lines.length === 0 ? '' : `\nNot measured:\n\n${lines.join('\n')}\n`;
}

/** Columns without a figure are left out. */
function ratioTable(results: Results): string {
  const columns: [string, (row: Row) => number | null][] = [
    ['than v86', ({ id }) => speedup(results, ON, 'v86', id)],
    ['than QEMU rr record', ({ id }) => speedup(results, ON, 'qemu-record', id)],
    ['than QEMU', ({ id }) => speedup(results, ON, 'qemu', id)],
    ['than native', ({ id }) => speedup(results, ON, 'native', id)],
    ['than with recording off', ({ id }) => speedup(results, ON, 'guestreel-off', id)],
    ['replay than recording', ({ id }) => speedup(results, 'guestreel-replay', ON, id)],
    ['MIPS', ({ id }) => mipsOf(results, ON, id)],
  ];
  const rows = measuredRows(results);
  const present = columns.filter(([, figure]) => rows.some((row) => figure(row) !== null));
  const cells = rows.map((row) => [
    row.title,
    ...present.map(([title, figure]) => (title === 'MIPS' ? number(figure(row)) : times(figure(row)))),
  ]);
  return table(['', ...present.map(([title]) => title)], cells);
}

/** Systems that could not be measured have the reason below. */
function deviceSection(results: Results): string {
  const measured = DEVICES.flatMap((device) => results.devices[device] ?? []);
  const columns = measured.filter(({ id }, i) => measured.findIndex((other) => other.id === id) === i);
  const rows = DEVICE_ROWS.filter(({ device }) => results.devices[device] !== undefined);
  const speeds = rows.map((row) => [
    `${row.title}, ${row.unit}`,
    ...columns.map(({ id }) => {
      const speed = speedOf(results, id, row);
      return speed === null ? 'n/a' : `${number(speed.median)} (${number(speed.min)}–${number(speed.max)})`;
    }),
  ]);
  const ratio = (row: DeviceRow, than: SystemId): number | null => {
    const [own, others] = [speedOf(results, ON, row), speedOf(results, than, row)];
    return own === null || others === null ? null : own.median / others.median;
  };
  const peers: [string, SystemId][] = [
    ['than v86', 'v86'],
    ['than QEMU rr record', 'qemu-record'],
    ['than QEMU', 'qemu'],
    ['than with recording off', 'guestreel-off'],
  ];
  const ratios = rows.map((row) => [row.title, ...peers.map(([, id]) => times(ratio(row, id)))]);
  const reasons = DEVICES.flatMap((device) =>
    (results.devices[device] ?? []).flatMap(({ title, missing }) =>
      missing === null ? [] : [`- ${device}, ${title}: ${missing}`],
    ),
  );
  return [
    `Runs of their own, no part of the whole run: ${number(DISK_BYTES / 1e6)} MB by bus-master DMA of an IDE disk, and ` +
      `${number(DOWNLOAD_BYTES / 1e6)} MB over address translation from a server on the loopback interface.`,
    table(['median (smallest–largest)', ...columns.map(({ title }) => title)], speeds),
    ...(reasons.length === 0 ? [] : [`Not measured:\n\n${reasons.join('\n')}`]),
    `How many times as fast guestreel is while it records:`,
    table(['', ...peers.map(([title]) => title)], ratios),
  ].join('\n\n');
}

function barRow(bar: Bar): string[] {
  const unit = bar.unit === 'times' || bar.unit === 'ratio' ? '' : ` ${bar.unit}`;
  const limit = (value: number | null): string => {
    if (value === null) return '';
    return `${bar.isAtLeast ? 'at least' : 'at most'} ${value}${unit}`;
  };
  const value = bar.value === null ? '' : `${unit === '' ? times(bar.value) : number(bar.value)}${unit}`;
  return [bar.title, limit(bar.must), limit(bar.aim), value, verdictOf(bar)];
}

function barSection(results: Results): string {
  const bars = barsOf(results);
  const measured = bars.filter(({ value, must }) => value !== null && must !== null);
  const missed = measured.filter(isMissed);
  const summary = `${measured.length - missed.length} of ${measured.length} measured bars are met.`;
  return `${summary}\n\n${table(['', 'must', 'aim', 'measured', ''], bars.map(barRow))}`;
}

const megabytes = (summary: Summary | null): string => (summary === null ? '' : number(summary.median / 1e6));

function sizeTable(results: Results): string {
  const rows = results.systems.flatMap(({ id, title }) => {
    const cells = (['residentBytes', 'peakBytes', 'recordingBytes', 'logBytes'] as const).map((name) =>
      megabytes(figureOf(results, id, name)),
    );
    return cells.every((cell) => cell === '') ? [] : [[title, ...cells]];
  });
  return table(['MB', 'resident at ALL-DONE', 'peak until then', 'recording', 'without its snapshot'], rows);
}

function kernelTable(speeds: readonly KernelSpeed[]): string {
  const rows = KERNELS.map(({ title }) => [
    title,
    ...TIERS.map((tier) => {
      const own = speeds.filter((speed) => speed.tier === tier && speed.kernel === title).map(({ mips }) => mips);
      return number(summarize(own)?.median ?? null);
    }),
  ]);
  return table(['', ...TIERS], rows);
}

function pauseTable(pauses: PauseReport): string {
  const titles: Record<keyof PauseReport, string> = {
    hostStart: 'START by the host',
    whileWriting: 'longest pause while the snapshot is written',
    guestStart: 'START by the guest',
    guestCheckpoint: 'checkpoint',
    guestStop: 'STOP',
  };
  const rows = (Object.keys(titles) as (keyof PauseReport)[]).flatMap((name) => {
    const summary = summarize(pauses[name]);
    return summary === null ? [] : [[titles[name], number(summary.median), number(summary.min), number(summary.max)]];
  });
  return table(['ms', 'median', 'smallest', 'largest'], rows);
}

/** The page. */
export function renderMarkdown(results: Results, plotFile: string): string {
  const { kernels, pauses, idle } = results;
  const different = disagreements(results);
  const hasRows = measuredRows(results).length > 0;
  const sections = [
    `# Benchmark\n\nWritten by \`npm run bench\`; [README.md](README.md) says what is measured and how.`,
    hostSection(results),
  ];
  if (hasRows) {
    sections.push(
      `![Times of the systems relative to v86](${plotFile})`,
      `## Seconds, median\n\n${timesTable(results, ({ median }) => number(median))}\n${missingLines(results)}`.trimEnd(),
      `## Seconds, smallest to largest\n\n${timesTable(results, ({ min, max }) => `${number(min)}–${number(max)}`)}`,
    );
  }
  if (secondsOf(results, ON, 'whole') !== null) {
    sections.push(`## How many times as fast: guestreel, recording\n\n${ratioTable(results)}`);
  }
  if (DEVICES.some((device) => results.devices[device] !== undefined)) {
    sections.push(`## Devices\n\n${deviceSection(results)}`);
  }
  sections.push(`## Bars\n\n${barSection(results)}`);
  if (hasRows) sections.push(`## Memory and recordings\n\n${sizeTable(results)}`);
  if (kernels !== null) {
    sections.push(
      `## Three kernels by tier, MIPS\n\n${kernelTable(kernels)}\n\n\`regions\` compiles blocks when they run first, and waits.`,
    );
  }
  if (pauses !== null) sections.push(`## Pauses of a working guest\n\n${pauseTable(pauses)}`);
  if (idle !== null) {
    const rows = [
      ['paced by the wall clock', number(idle.paced)],
      ['at full speed', number(idle.atFullSpeed)],
    ];
    sections.push(`## Idle guest\n\n${table(['bytes of log per guest minute', ''], rows)}`);
  }
  if (different.length > 0) {
    const lines = different.map((text) => `- ${text}`).join('\n');
    sections.push(`## Different results\n\nPrograms in the guest did not compute the same everywhere:\n\n${lines}`);
  }
  return `${sections.join('\n\n')}\n`;
}
