import { spawnSync } from 'node:child_process';
import { closeSync, constants, createReadStream, mkdtempSync, openSync, rmSync, type ReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A pipe of the operating system's. Node connects its children by sockets; with one at its serial port, QEMU writes
 * recordings that it cannot replay.
 */
export class Pipe {
  readonly reader: ReadStream;
  /** For the child. */
  readonly writer: number;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'guestreel-bench-'));
    const name = join(folder, 'pipe');
    try {
      const { status, error } = spawnSync('mkfifo', [name]);
      if (status !== 0) throw new Error(`no pipe can be made: ${error?.message ?? 'mkfifo failed'}`);
      // With this one open, neither of the others waits for its counterpart.
      const both = openSync(name, constants.O_RDWR);
      const reader = openSync(name, constants.O_RDONLY);
      this.writer = openSync(name, constants.O_WRONLY);
      closeSync(both);
      this.reader = createReadStream('', { fd: reader });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Once the child has its end: then the reader ends when the child does. */
  closeWriter(): void {
    closeSync(this.writer);
  }
}
