import { measuredRows, secondsOf, type Results } from '../results.js';
import type { SystemId } from '../systems/system.js';
import { number } from './format.js';

/** What is drawn, in this order; each has a colour of its own that is legible on white and on near-black. */
const SERIES: readonly { readonly id: SystemId; readonly colour: string }[] = [
  { id: 'guestreel-on', colour: '#1f7a4d' },
  { id: 'guestreel-replay', colour: '#58a77f' },
  { id: 'v86', colour: '#c2571a' },
  { id: 'qemu-record', colour: '#7a5bb5' },
  { id: 'qemu', colour: '#a690d0' },
];
/** Times are relative to the first of these that was measured. */
const REFERENCES: readonly SystemId[] = ['v86', 'qemu', 'guestreel-off', 'guestreel-on'];

const LABEL_WIDTH = 150;
const PLOT_WIDTH = 480;
const VALUE_WIDTH = 130;
const BAR_HEIGHT = 12;
const BAR_GAP = 2;
const GROUP_GAP = 14;
const LEGEND_HEIGHT = 40;
const AXIS_HEIGHT = 34;
/** Longer bars end there, and say so. */
const MAX_RELATIVE = 1.5;
const STEP = 0.25;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .value { font-size: 10px; }
  .grid { stroke: #d0d7de; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .grid { stroke: #3d444d; } }`;

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escape(content)}</text>`;
}

const xOf = (relative: number): number => LABEL_WIDTH + (PLOT_WIDTH * Math.min(relative, MAX_RELATIVE)) / MAX_RELATIVE;

function bar(y: number, colour: string, relative: number, seconds: number): string {
  const width = Math.max(1, xOf(relative) - LABEL_WIDTH);
  const beyond = relative > MAX_RELATIVE ? ` (${number(relative)} times)` : '';
  const rectangle = `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" fill="${colour}"/>`;
  return `${rectangle}${text(Math.round(LABEL_WIDTH + width + 4), y + 10, `${number(seconds)} s${beyond}`, 'class="value"')}`;
}

function grid(bottom: number, reference: string): string[] {
  const lines = [];
  for (let relative = 0; relative <= MAX_RELATIVE; relative += STEP) {
    const x = xOf(relative);
    lines.push(`<line class="grid" x1="${x}" x2="${x}" y1="${LEGEND_HEIGHT}" y2="${bottom}"/>`);
    lines.push(text(x, bottom + 14, String(relative), 'text-anchor="middle"'));
  }
  const middle = LABEL_WIDTH + PLOT_WIDTH / 2;
  lines.push(text(middle, bottom + 30, `time relative to ${reference}; shorter is better`, 'text-anchor="middle"'));
  return lines;
}

/** A bar plot of the medians. */
export function renderPlot(results: Results): string {
  const titleOf = (id: SystemId): string => results.systems.find((system) => system.id === id)!.title;
  const hasTimes = (id: SystemId): boolean => secondsOf(results, id, 'whole') !== null;
  const series = SERIES.filter(({ id }) => hasTimes(id));
  const reference = REFERENCES.find(hasTimes);
  const shapes: string[] = [];
  let y = LEGEND_HEIGHT + GROUP_GAP / 2;
  if (reference !== undefined) {
    for (const { id: row, title } of measuredRows(results)) {
      const base = secondsOf(results, reference, row)?.median;
      if (base === undefined) continue;
      const top = y;
      for (const { id, colour } of series) {
        const seconds = secondsOf(results, id, row)?.median;
        if (seconds !== undefined) shapes.push(bar(y, colour, seconds / base, seconds));
        y += BAR_HEIGHT + BAR_GAP;
      }
      shapes.push(text(LABEL_WIDTH - 8, (top + y) / 2 + 4, title, 'text-anchor="end"'));
      y += GROUP_GAP;
    }
  }
  const width = LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH;
  const column = width / Math.max(1, series.length);
  const legend = series.flatMap(({ id, colour }, i) => [
    `<rect x="${Math.round(i * column + 8)}" y="12" width="12" height="12" fill="${colour}"/>`,
    text(Math.round(i * column + 24), 22, titleOf(id).replace('guestreel, recording on', 'guestreel, recording')),
  ]);
  const all = [...legend, ...grid(y, reference === undefined ? 'nothing' : titleOf(reference)), ...shapes];
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + AXIS_HEIGHT}" role="img" aria-label="Times of the systems">`;
  return `${open}\n<style>${STYLE}\n</style>\n${all.join('\n')}\n</svg>\n`;
}
