import type { StopReason } from '../harness/guest-machine.js';
import { writeScreen, type PortOutput } from './console-output.js';
import type { Context } from './context.js';
import { exitCodeOf, guestExitCode } from './exit-codes.js';
import { Keyboard, type KeyboardTarget } from './keyboard.js';
import type { LiveMachine } from './library.js';
import type { LiveRun } from './live-options.js';
import { printable } from './output.js';
import type { QmpPort } from './qmp/qmp-port.js';
import { ScreenPainter } from './screen-painter.js';
import { Screenshots } from './screenshots.js';

/** The text screen is drawn 10 times a second. */
const PAINT_MS = 100;
const EFLAGS_IF = 0x200;

const ENDINGS: Record<Exclude<StopReason['kind'], 'exit' | 'interrupted'>, string> = {
  matched: 'ended as asked',
  halted: 'the machine halted and nothing can wake it',
  'powered-off': 'the machine powered off',
  'triple-fault': 'the machine ended in a triple fault',
};

function describeStop(stop: StopReason, { received }: Context['interrupt'], qmp: QmpPort | null): string {
  const ender = received ?? (qmp?.signal.aborted ? 'QMP' : 'the user');
  if (stop.kind === 'interrupted') return `the machine was ended by ${ender}`;
  if (stop.kind === 'exit') return `the guest ended the machine with exit code ${stop.code}`;
  if (stop.kind === 'matched' && stop.what === 'ticks') return 'the time given by --timeout-ticks has passed';
  return ENDINGS[stop.kind];
}

function exitCodeOfStop(stop: StopReason): number {
  switch (stop.kind) {
    case 'exit':
      return guestExitCode(stop.code);
    case 'triple-fault':
      return exitCodeOf('TRIPLE_FAULT');
    case 'matched':
      return exitCodeOf(stop.what === 'ticks' ? 'TIMEOUT' : 'OK');
    default:
      return exitCodeOf('OK');
  }
}

/** Tells the user what happens to recordings. Returns whether one could not be written to its end. */
function reportEvents({ output }: Context, machine: LiveMachine): () => boolean {
  let hasFailed = false;
  machine.on('recording', ({ state, name, file, reason }) => {
    hasFailed ||= state === 'failed';
    const why = state === 'started' || reason === '' ? '' : ` (${printable(reason)})`;
    output.message(`reel: recording "${printable(name)}" ${state}${why}: ${printable(file)}`);
  });
  machine.on('verdict', ({ name, verdict }) => output.message(`reel: ${verdict} "${printable(name)}"`));
  machine.on('denied', ({ principal, action, rule, reason }) => {
    const why = reason === '' ? rule : `${rule}: ${reason}`;
    output.message(`reel: ${printable(principal)} was denied "${action}" (${printable(why)})`);
  });
  return () => hasFailed;
}

/** Runs until the machine cannot go on, not even by what the user may type or, with `hasQmp`, a client send. */
async function runToStop(machine: LiveMachine, keyboard: Keyboard, run: LiveRun, hasQmp: boolean): Promise<StopReason> {
  const ticks = run.timeoutTicks === undefined ? undefined : machine.tick + run.timeoutTicks;
  for (;;) {
    const stop = await machine.run({ until: { serial: run.untilSerial, ticks }, signal: keyboard.signal });
    if (keyboard.signal.aborted) return { kind: 'interrupted' };
    if (stop.kind !== 'halted') return stop;
    // A client may reset it.
    const mayWake = hasQmp || (keyboard.isOpen && (machine.registers().eflags! & EFLAGS_IF) !== 0);
    if (!mayWake) return stop;
    await keyboard.wait();
    if (keyboard.signal.aborted) return { kind: 'interrupted' };
  }
}

/** Gives a live machine to the user, until it or the user ends it. Closes it. Returns the exit code. */
export async function runLive(
  context: Context,
  machine: LiveMachine,
  run: LiveRun,
  ports: PortOutput,
  qmp: QmpPort | null,
): Promise<number> {
  const { output, io, interrupt } = context;
  const hasText = run.display === 'text';
  const toKeys = hasText && io.stdin.isTTY === true;
  const target: KeyboardTarget = run.stdioPort !== null ? 'serial' : toKeys ? 'keys' : 'none';
  const isDrawn = hasText && io.stdout.isTTY === true && run.stdioPort === null;
  const painter = isDrawn ? new ScreenPainter(io.stdout, () => machine.screenText()) : null;
  const showMessages = painter === null ? () => {} : output.holdMessages((text) => painter.note(text));
  const hasFailed = reportEvents(context, machine);
  const screenshots = new Screenshots(run);
  let keyboard: Keyboard | null = null;
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    ports.attach(machine);
    screenshots.attach(machine);
    if (run.record !== undefined) await machine.startRecording({ name: run.record, reason: '--record' });
    keyboard = new Keyboard(context, machine, target, run.stdioPort ?? 0, qmp?.signal);
    await qmp?.watchMachine(machine, keyboard.wake);
    if (painter !== null) timer = setInterval(() => painter.paint(), PAINT_MS);
    const stop = await runToStop(machine, keyboard, run, qmp !== null);
    qmp?.ended(stop);
    keyboard.close();
    painter?.close();
    showMessages();
    if (hasText) writeScreen(output, machine.screenText());
    screenshots.finish(machine);
    if (run.record !== undefined && machine.recording !== null) await machine.stopRecording();
    output.message(`reel: ${describeStop(stop, interrupt, qmp)}, tick ${machine.tick}`);
    if (interrupt.received !== null) return exitCodeOf(interrupt.received);
    return hasFailed() ? exitCodeOf('HOST_IO') : exitCodeOfStop(stop);
  } finally {
    clearInterval(timer);
    keyboard?.close();
    painter?.close();
    showMessages();
    ports.close();
    await machine.close();
  }
}
