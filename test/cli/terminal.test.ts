import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TerminalEscape, type TerminalEvent } from '../../src/host/terminal-escape.js';
import { Terminal, type TerminalHandlers } from '../../src/host/terminal.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Events with the data of neighbours joined. */
function joined(events: readonly TerminalEvent[]): string[] {
  const texts: string[] = [];
  let isData = false;
  for (const event of events) {
    if (event.kind !== 'data') texts.push(event.kind);
    else if (isData) texts[texts.length - 1] += textOf(event.bytes);
    else texts.push(`data:${textOf(event.bytes)}`);
    isData = event.kind === 'data';
  }
  return texts;
}

const typed = (...pieces: string[]): string[] => {
  const escape = new TerminalEscape();
  return joined(pieces.flatMap((piece) => escape.push(bytesOf(piece))));
};

describe('TerminalEscape', () => {
  it('passes on what has no Ctrl-A in it, Ctrl-C and all', () => {
    expect(typed('ls\r\x03\x1b[A\xff')).toEqual(['data:ls\r\x03\x1b[A\xff']);
  });

  it('quits at Ctrl-A x and drops what follows', () => {
    expect(typed('a\x01xb')).toEqual(['data:a', 'quit']);
    expect(typed('\x01', 'X')).toEqual(['quit']);
  });

  it('shows help at Ctrl-A h and Ctrl-A ?', () => {
    expect(typed('a\x01hb\x01?')).toEqual(['data:a', 'help', 'data:b', 'help']);
  });

  it('sends one Ctrl-A for two', () => {
    expect(typed('\x01\x01')).toEqual(['data:\x01']);
    expect(typed('\x01', '\x01x')).toEqual(['data:\x01x']);
  });

  it('drops Ctrl-A with any other key', () => {
    expect(typed('a\x01qb')).toEqual(['data:ab']);
  });

  it('does not care where reads are cut', () => {
    const keys = fc.array(fc.constantFrom('\x01', 'x', 'h', 'a', '\r', '\xe4'), { maxLength: 12 });
    const property = fc.property(keys, (all) => {
      // What follows a quit depends on the reads: the terminal is let go.
      const cut = typed(...all);
      const until = (events: string[]): string[] =>
        events.includes('quit') ? events.slice(0, events.indexOf('quit') + 1) : events;
      expect(until(cut)).toEqual(until(typed(all.join(''))));
    });
    fc.assert(property, { numRuns: 300 });
  });
});

class FakeInput extends EventEmitter {
  readonly modes: boolean[] = [];
  isPaused = true;
  constructor(readonly isTTY: boolean) {
    super();
  }
  setRawMode(raw: boolean): void {
    this.modes.push(raw);
  }
  resume(): void {
    this.isPaused = false;
  }
  pause(): void {
    this.isPaused = true;
  }
}

function attached(isTTY: boolean): { input: FakeInput; ends: EventEmitter; terminal: Terminal; seen: string[] } {
  const [input, ends, seen] = [new FakeInput(isTTY), new EventEmitter(), [] as string[]];
  const handlers: TerminalHandlers = {
    data: (bytes) => void seen.push(textOf(bytes)),
    quit: () => void seen.push('<quit>'),
    ended: () => void seen.push('<ended>'),
    help: () => void seen.push('<help>'),
  };
  return { input, ends, seen, terminal: new Terminal(input, handlers, ends) };
}

describe('Terminal', () => {
  it('is raw until it is restored, once', () => {
    const { input, terminal, ends } = attached(true);
    expect(input.modes).toEqual([true]);
    expect(input.isPaused).toBe(false);
    terminal.restore();
    terminal.restore();
    expect(input.modes).toEqual([true, false]);
    expect(input.isPaused).toBe(true);
    expect(ends.listenerCount('exit') + ends.listenerCount('SIGCONT')).toBe(0);
  });

  it('is restored when the process ends, be it by an uncaught exception', () => {
    const { input, ends } = attached(true);
    ends.emit('exit');
    expect(input.modes).toEqual([true, false]);
  });

  it('is raw again after the process was stopped', () => {
    const { input, ends } = attached(true);
    ends.emit('SIGCONT');
    expect(input.modes).toEqual([true, true]);
  });

  it('tells data from commands', () => {
    const { input, seen } = attached(true);
    input.emit('data', bytesOf('ab\x01h\x01x'));
    expect(seen).toEqual(['ab', '<help>', '<help>', '<help>', '<quit>']);
  });

  it('passes a pipe on as it is, without commands, and tells its end', () => {
    const { input, seen } = attached(false);
    input.emit('data', bytesOf('a\x01x'));
    input.emit('end');
    expect(seen).toEqual(['a\x01x', '<ended>']);
    expect(input.modes).toEqual([]);
  });

  it('takes a terminal that hangs up for the end, even late', () => {
    const { input, seen, terminal } = attached(true);
    input.emit('error', new Error('EIO'));
    terminal.restore();
    input.emit('error', new Error('EIO'));
    expect(seen).toEqual(['<ended>']);
  });

  it('gives nothing to the guest once it is restored', () => {
    const { input, seen, terminal } = attached(true);
    terminal.restore();
    input.emit('data', bytesOf('x'));
    expect(seen).toEqual([]);
  });
});
