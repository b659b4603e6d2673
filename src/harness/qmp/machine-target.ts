import type { GuestMachine, StopReason } from '../guest-machine.js';
import type { MachineEvents } from '../machine-events.js';
import { VERDICTS } from '../verdicts.js';
import { blockDevices, driveNamed } from './block-devices.js';
import type { QmpCommandName, QmpHandlers, QmpMachineCommand } from './commands.js';
import type { QmpEmit } from './events.js';
import type { QmpTarget } from './monitor.js';
import { QmpError } from './qmp-error.js';
import { screenDump, type QmpFolder } from './screen-dump.js';

/** What QMP needs of a live machine. */
export type QmpMachine = Pick<
  GuestMachine,
  | 'tick'
  | 'isPaused'
  | 'recording'
  | 'pause'
  | 'resume'
  | 'reset'
  | 'powerButton'
  | 'pressKeys'
  | 'screenshot'
  | 'drives'
  | 'changeMedium'
  | 'permit'
  | 'startRecording'
  | 'stopRecording'
  | 'mark'
> & {
  on<K extends keyof MachineEvents>(name: K, handler: (event: MachineEvents[K]) => void): unknown;
};

export interface QmpSurroundings {
  readonly folder: QmpFolder;
  /** Ends the run. */
  readonly quit: () => void;
}

/** Whoever comes by QMP. */
const HOST = 'api';
/** Inputs that may wait for a paused machine. */
const MOST_WAITING = 256;

/** A live machine as QMP has it. */
export class MachineTarget implements QmpTarget {
  readonly what = 'a live machine';
  readonly handlers: QmpHandlers<QmpMachineCommand>;
  #waiting = 0;

  constructor(
    private readonly machine: QmpMachine,
    /** `wake`: there is something to do for a machine that halted. */
    private readonly around: QmpSurroundings & { readonly wake: () => void },
    emit: QmpEmit,
  ) {
    this.handlers = this.#handlers(emit);
    this.#report(emit);
  }

  permit(command: QmpCommandName): void {
    this.machine.permit(HOST, command);
  }

  /** An input; those for a paused machine wait until it goes on. */
  #input(send: () => void): void {
    if (this.machine.isPaused && this.#waiting >= MOST_WAITING) {
      throw new QmpError(`The machine is paused, and ${MOST_WAITING} inputs wait already`);
    }
    send();
    if (this.machine.isPaused) this.#waiting++;
    this.around.wake();
  }

  #handlers(emit: QmpEmit): QmpHandlers<QmpMachineCommand> {
    const { machine, around } = this;
    return {
      'query-name': () => (machine.recording === null ? {} : { name: machine.recording.name }),
      'query-status': () => ({ running: !machine.isPaused, status: machine.isPaused ? 'paused' : 'running' }),
      stop: () => machine.pause(),
      cont: () => machine.resume(),
      system_reset: () => this.#input(() => machine.reset()),
      system_powerdown: () => {
        this.#input(() => machine.powerButton());
        emit('POWERDOWN');
      },
      quit: () => around.quit(),
      screendump: (given) => screenDump(given, around.folder, machine),
      'send-key': ({ keys }) => this.#input(() => machine.pressKeys(keys.join('-'))),
      'query-block': () => blockDevices(machine.drives()),
      'blockdev-change-medium': (given) => {
        const { filename, format, 'read-only-mode': mode = 'retain' } = given;
        if (!['retain', 'read-only', 'read-write'].includes(mode)) {
          throw new QmpError(`Parameter 'read-only-mode' does not accept value '${mode}'`);
        }
        if (format !== undefined && format !== 'raw' && format !== 'qcow2') {
          throw new QmpError(`Unknown driver '${format}': raw and qcow2 are read`);
        }
        const drive = driveNamed(machine.drives(), given);
        this.#input(() => machine.changeMedium(drive, filename, format));
      },
      eject: (given) => {
        const drive = driveNamed(machine.drives(), given);
        this.#input(() => machine.changeMedium(drive, null));
      },
      'query-replay': () => {
        const { tick, recording } = machine;
        return recording === null
          ? { mode: 'none', icount: tick }
          : { mode: 'record', filename: recording.file, icount: tick };
      },
      'guestreel-start': async ({ name, reason }) => {
        const id = await machine.startRecording({ name, reason: reason ?? 'QMP' }, HOST);
        return { id, file: machine.recording?.file, tick: machine.tick };
      },
      'guestreel-stop': async () => ({ file: await machine.stopRecording(HOST), tick: machine.tick }),
      'guestreel-mark': async ({ label, value }) => {
        await machine.mark(label, value ?? 0, HOST);
        return { tick: machine.tick };
      },
      'guestreel-query-recording': () => ({
        active: machine.recording !== null,
        ...machine.recording,
        tick: machine.tick,
      }),
    };
  }

  #report(emit: QmpEmit): void {
    const { machine } = this;
    machine.on('pause', ({ paused }) => {
      if (!paused) this.#waiting = 0;
      emit(paused ? 'STOP' : 'RESUME');
    });
    machine.on('reset', ({ byHost }) =>
      emit('RESET', { guest: !byHost, reason: byHost ? 'host-qmp-system-reset' : 'guest-reset' }),
    );
    machine.on('recording', (event) => emit('GUESTREEL_RECORDING', { ...event }));
    machine.on('mark', (event) => emit('GUESTREEL_MARK', { type: 'mark', ...event }));
    machine.on('phase', ({ type, name, id, tick, by }) =>
      emit('GUESTREEL_MARK', { type, label: name, value: id, tick, by }),
    );
    machine.on('verdict', ({ name, verdict, tick, by }) => {
      const value = VERDICTS.indexOf(verdict);
      emit('GUESTREEL_MARK', { type: 'verdict', label: name, value, tick, by });
    });
  }
}

/** Members of SHUTDOWN for a machine that ended by itself, or was ended. */
export function shutdownOf(stop: StopReason): { readonly guest: boolean; readonly reason: string } {
  switch (stop.kind) {
    case 'interrupted':
      return { guest: false, reason: 'host-signal' };
    case 'matched':
      return { guest: false, reason: 'host-ui' };
    case 'triple-fault':
      return { guest: true, reason: 'guest-reset' };
    default:
      return { guest: true, reason: 'guest-shutdown' };
  }
}
