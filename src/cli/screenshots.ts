import { OutputFile } from '../host/output-file.js';
import type { LiveMachine } from './library.js';

export interface ScreenshotOptions {
  readonly screenshot?: string;
  readonly screenshotMarks?: string;
}

interface Screen {
  screenshot(): Uint8Array;
}

function write(path: string, screen: Screen): void {
  const file = new OutputFile(path);
  try {
    file.write(screen.screenshot());
  } finally {
    file.close();
  }
}

/** Where screenshots go, from the options of a verb. */
export class Screenshots {
  #marks = 0;

  constructor(private readonly options: ScreenshotOptions) {}

  /** From here on each mark and each beginning of a phase leaves a PNG file, `PREFIX-0001.png` and so on. */
  attach(machine: Screen & Pick<LiveMachine, 'on'>): void {
    const { screenshotMarks: prefix } = this.options;
    if (prefix === undefined) return;
    // The guest chooses labels: no part of a path is made of them.
    const shoot = (): void => write(`${prefix}-${String(++this.#marks).padStart(4, '0')}.png`, machine);
    machine.on('mark', shoot);
    machine.on('phase', ({ type }) => {
      if (type === 'begin') shoot();
    });
  }

  /** The last picture. */
  finish(screen: Screen): void {
    if (this.options.screenshot !== undefined) write(this.options.screenshot, screen);
  }
}
