import { createHash } from 'node:crypto';
import { Machine } from '../../src/index.js';

/** A prompt that waits for a command: the shell's own, at the start of a line. */
const PROMPT = /\n\/ # $/;
const MEMORY = '128M';
/** No command of these takes that long, in guest instructions. */
const PATIENCE_TICKS = 20e9;
const BOOT_TICKS = 60e9;

/** The files of a guest: Linux, and busybox with the agent as /bin/reel and a shell on ttyS0 for `work=sh`. */
export interface LinuxImages {
  readonly kernel: string;
  readonly initrd: string;
}

/** What must hold, or the run ends here. */
export function expect(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Error(problem);
}

/** A shell on the guest's first serial line. */
export class Shell {
  constructor(
    readonly machine: Machine,
    private readonly onProgress?: (tick: number) => void,
  ) {}

  /** Boots to the prompt. */
  static async boot(images: LinuxImages, outDir: string): Promise<Shell> {
    const append = 'console=ttyS0 work=sh';
    const machine = await Machine.create({ ...images, append, memory: MEMORY, outDir });
    const stop = await machine.run({ until: { serial: /START sh[^]*\/ # $/, ticks: BOOT_TICKS } });
    expect(stop.kind === 'matched' && stop.what === 'serial', `no prompt after the boot: ${JSON.stringify(stop)}`);
    return new Shell(machine);
  }

  /** Types a line and waits for what answers it; returns what came back, the echo included. */
  async type(line: string, answer: RegExp): Promise<string> {
    const { machine } = this;
    const from = machine.serialText.length;
    machine.typeSerial(`${line}\n`);
    const until = { serial: answer, ticks: machine.tick + PATIENCE_TICKS };
    const stop = await machine.run({ until, onProgress: this.onProgress });
    const text = machine.serialText.slice(from);
    const isAnswered = stop.kind === 'matched' && stop.what === 'serial';
    expect(isAnswered, `no answer to "${line}": ${JSON.stringify(stop)}, ${JSON.stringify(text)}`);
    return text;
  }

  /** Runs a command to the next prompt; it must print `result`. */
  async command(line: string, result: string): Promise<void> {
    const text = await this.type(line, PROMPT);
    expect(text.replaceAll('\r', '').includes(`\n${result}\n`), `"${line}" printed ${JSON.stringify(text)}`);
  }

  /** Sends a command and then the line that it reads. */
  async converse(): Promise<void> {
    await this.type('read word; echo "heard $word"', /\n/);
    await this.command('typed on the line', 'heard typed on the line');
  }
}

const LINES = 20_000;
const [FACTOR, PRIME] = [7919, 20_011];

/** MD5 of what the guest's sort must make of the lines. */
const SORTED_MD5 = ((): string => {
  const numbers = Array.from({ length: LINES }, (_, i) => ((i + 1) * FACTOR) % PRIME).sort((a, b) => a - b);
  return createHash('md5')
    .update(numbers.map((n) => `${n}\n`).join(''))
    .digest('hex');
})();

/** The phase in which the guest sorts. */
export const SORT_PHASE = 'sort';

/** Makes the lines to sort. */
export async function prepare(shell: Shell): Promise<void> {
  await shell.command('busybox --install -s /bin; echo "rc $?"', 'rc 0');
  await shell.command(`seq ${LINES} | awk '{print ($1*${FACTOR})%${PRIME}}' >/tmp/lines; echo "rc $?"`, 'rc 0');
}

/** From ring 3 the guest starts a recording, sorts in a phase, and reads what is typed; the recording goes on. */
export async function work(shell: Shell): Promise<void> {
  await shell.command('reel start boot; echo "rc $?"', 'rc 0');
  await shell.command(`reel run ${SORT_PHASE} -- sort -n -o /tmp/sorted /tmp/lines; echo "rc $?"`, 'rc 0');
  await shell.command('md5sum /tmp/sorted', `${SORTED_MD5}  /tmp/sorted`);
  await shell.converse();
  await sortAgain(shell);
  await shell.command('reel run refused -- false; echo "rc $?"', 'rc 1');
  await shell.command('reel mark sorted 7; echo "rc $?"', 'rc 0');
}

/** Long work of two processes at a time, with output before it and no input. */
export async function sortAgain(shell: Shell): Promise<void> {
  await shell.command('echo again; sort -n /tmp/lines | md5sum', `again\n${SORTED_MD5}  -`);
}
