import { writeSync } from 'node:fs';

const LINE_FEED = 10;

/** Hands the guest's serial output to the parent process, a line at a time. */
export class SerialOutput {
  #line = '';

  constructor(private readonly onLine: (line: string) => void = () => {}) {}

  write(bytes: Iterable<number>): void {
    for (const byte of bytes) {
      this.#line += String.fromCharCode(byte);
      if (byte !== LINE_FEED) continue;
      const line = this.#line;
      this.#line = '';
      writeSync(1, line, null, 'latin1');
      this.onLine(line);
    }
  }
}
