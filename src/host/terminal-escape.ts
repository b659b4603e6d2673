/** Ctrl-A, as in QEMU's -nographic. */
const ESCAPE = 0x01;

export type TerminalEvent =
  { readonly kind: 'data'; readonly bytes: Uint8Array } | { readonly kind: 'quit' } | { readonly kind: 'help' };

export const TERMINAL_HELP = [
  'Ctrl-A h    this help',
  'Ctrl-A x    end the machine, and with it a recording',
  'Ctrl-A Ctrl-A    send Ctrl-A to the guest',
];

/** Takes the commands out of what is typed. Ctrl-A with any other key is dropped, as in QEMU. */
export class TerminalEscape {
  /** The last byte was a Ctrl-A whose command has not come yet. */
  #escaped = false;

  /** In the order typed; what follows a quit is dropped. */
  push(bytes: Uint8Array): TerminalEvent[] {
    const events: TerminalEvent[] = [];
    let data: number[] = [];
    const flush = (): void => {
      if (data.length > 0) events.push({ kind: 'data', bytes: Uint8Array.from(data) });
      data = [];
    };
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === ESCAPE) this.#escaped = true;
        else data.push(byte);
        continue;
      }
      this.#escaped = false;
      const command = String.fromCharCode(byte).toLowerCase();
      if (byte === ESCAPE) {
        data.push(ESCAPE);
      } else if (command === 'x') {
        flush();
        events.push({ kind: 'quit' });
        return events;
      } else if (command === 'h' || command === '?') {
        flush();
        events.push({ kind: 'help' });
      }
    }
    flush();
    return events;
  }
}
