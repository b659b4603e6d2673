import type { OutputStream } from './output.js';

/** Lines below the screen. */
const NOTES = 4;
/** In place of a picture, which a terminal cannot show. */
export const GRAPHICS_NOTE = "the guest shows graphics: --screenshot or QMP's screendump has the picture";

/** Draws a machine's text screen on a terminal, only the rows that changed. A text of '' stands for a picture. */
export class ScreenPainter {
  readonly #shown: string[] = [];
  readonly #notes: string[] = [];
  #isOpen = false;

  constructor(
    private readonly stream: OutputStream,
    private readonly screenText: () => string,
  ) {}

  paint(): void {
    let update = '';
    if (!this.#isOpen) {
      // The alternate screen, cleared, without a cursor.
      update = '\x1b[?1049h\x1b[2J\x1b[?25l';
      this.#isOpen = true;
    }
    const rows = [...(this.screenText() || GRAPHICS_NOTE).split('\n'), ...this.#notes];
    for (let row = 0; row < Math.max(rows.length, this.#shown.length); row++) {
      const text = rows[row] ?? '';
      if (this.#shown[row] === text) continue;
      this.#shown[row] = text;
      update += `\x1b[${row + 1};1H\x1b[K${text}`;
    }
    if (update !== '') this.stream.write(update);
  }

  /** Shows a line below the screen, where the last few stay. */
  note(line: string): void {
    this.#notes.push(line);
    if (this.#notes.length > NOTES) this.#notes.shift();
  }

  /** The terminal is as it was. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#shown.length = 0;
    this.stream.write('\x1b[?25h\x1b[?1049l');
  }
}
