/** The text screen as text. */
import { codePage437 } from './code-page-437.js';
import { crtcStart, visibleLines, type VgaState } from './registers.js';

export interface VgaCursor {
  readonly row: number;
  readonly column: number;
  readonly visible: boolean;
}

/** Characters that the CRTC can count to. */
const CELLS = 0x10000;
/** Character and attribute of cell n: bytes 4n and 4n + 1 of video memory. */
const CELL_BYTES = 4;

export function textColumns({ crtc }: VgaState): number {
  return crtc[1] + 1;
}

/** Scan lines of a row of characters. */
export function cellHeight({ crtc }: VgaState): number {
  return (crtc[9] & 0x1f) + 1;
}

export function textRows(state: VgaState): number {
  const lineRepeat = state.crtc[9] & 0x80 ? 2 : 1;
  return Math.max(1, Math.floor(visibleLines(state) / (cellHeight(state) * lineRepeat)));
}

/** Index in video memory of the cell at a place on the screen. */
export function cellAt(state: VgaState, row: number, column: number): number {
  return ((crtcStart(state) + row * state.crtc[0x13] * 2 + column) % CELLS) * CELL_BYTES;
}

/** Rows joined by newlines, blanks at the ends of rows left out. */
export function screenText(state: VgaState, videoRam: Uint8Array): string {
  const rows: string[] = [];
  for (let row = 0; row < textRows(state); row++) {
    let line = '';
    for (let column = 0; column < textColumns(state); column++) {
      line += codePage437(videoRam[cellAt(state, row, column)]);
    }
    rows.push(line.trimEnd());
  }
  return rows.join('\n');
}

export function textCursor(state: VgaState): VgaCursor {
  const { crtc } = state;
  const stride = crtc[0x13] * 2 || textColumns(state);
  const position = (crtc[0x0e] << 8) | crtc[0x0f];
  const cell = (position - crtcStart(state) + CELLS) % CELLS;
  const on = (crtc[0x0a] & 0x20) === 0 && (crtc[0x0a] & 0x1f) <= (crtc[0x0b] & 0x1f);
  const row = Math.floor(cell / stride);
  return { row, column: cell % stride, visible: on && row < textRows(state) };
}
