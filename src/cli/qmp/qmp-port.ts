import type { StopReason } from '../../harness/guest-machine.js';
import { MachineTarget, shutdownOf } from '../../harness/qmp/machine-target.js';
import { QmpMonitor } from '../../harness/qmp/monitor.js';
import { markEvent, ReplayTarget, type QmpPlayer } from '../../harness/qmp/replay-target.js';
import { DEFAULT_OUT_DIR } from '../../harness/launch.js';
import { OutputFolder } from '../../host/output-folder.js';
import { packageVersion } from '../../host/package-file.js';
import { describeAddress } from '../../host/qmp/address.js';
import { QmpServer } from '../../host/qmp/server.js';
import type { Context } from '../context.js';
import type { FollowedReplay, LiveMachine, OpenRecording } from '../library.js';
import { parseQmpAddress } from './qmp-address.js';

export interface QmpVerbOptions {
  readonly qmp?: string;
  readonly out?: string;
}

/** The socket of --qmp: open before there is a machine, closed behind it. */
export class QmpPort {
  readonly #monitor: QmpMonitor;
  readonly #folder: OutputFolder;
  readonly #quit = new AbortController();
  #target: ReplayTarget | null = null;

  private constructor(
    private readonly context: Context,
    private readonly server: QmpServer,
    private readonly waits: boolean,
    out: string,
  ) {
    this.#monitor = new QmpMonitor({ version: packageVersion(), nowMs: context.io.nowMs });
    this.#folder = new OutputFolder(out);
  }

  /** Null without --qmp. Throws USAGE or HOST_IO. */
  static async open(context: Context, { qmp, out = DEFAULT_OUT_DIR }: QmpVerbOptions): Promise<QmpPort | null> {
    if (qmp === undefined) return null;
    const { address, waits } = parseQmpAddress(qmp);
    return new QmpPort(context, await QmpServer.open(address), waits, out);
  }

  /** Aborted by the command `quit`. */
  get signal(): AbortSignal {
    return this.#quit.signal;
  }

  readonly #end = (): void => this.#quit.abort();

  /** Serves clients; with wait=on, resolves when one is ready. */
  async #serve(): Promise<void> {
    this.server.serve(this.#monitor);
    if (!this.waits) return;
    const { output, interrupt } = this.context;
    output.message(`reel: waiting for a client at ${describeAddress(this.server.boundAddress)}`);
    const interrupted = new Promise((resolve) => interrupt.signal.addEventListener('abort', resolve));
    if (!interrupt.signal.aborted) await Promise.race([this.server.negotiated, interrupted]);
  }

  /** From now on clients have the machine. `wake` is called when there is something to do for one that halted. */
  async watchMachine(machine: LiveMachine, wake: () => void): Promise<void> {
    const around = { folder: this.#folder, quit: this.#end, wake };
    this.#monitor.watch(new MachineTarget(machine, around, this.#monitor.emit));
    await this.#serve();
  }

  /** From now on clients have the replay. */
  async watchReplay(player: QmpPlayer, recording: OpenRecording): Promise<void> {
    const { file, reader } = recording;
    const around = { folder: this.#folder, quit: this.#end, recording: { file, name: reader.meta.name } };
    this.#target = new ReplayTarget(player, around);
    this.#monitor.watch(this.#target);
    await this.#serve();
  }

  /** Has clients told of its marks. */
  attach(replay: FollowedReplay): void {
    replay.onMark((mark, tick) => {
      if (mark.type !== 'log') this.#monitor.emit('GUESTREEL_MARK', markEvent(mark, tick));
    });
  }

  readonly paused = (isPaused: boolean): void => this.#monitor.emit(isPaused ? 'STOP' : 'RESUME');

  replayDiverged(): void {
    this.#target?.diverged();
  }

  /** How it ended, if it was not by an error. */
  ended(stop: StopReason): void {
    const how = this.signal.aborted ? { guest: false, reason: 'host-qmp-quit' } : shutdownOf(stop);
    this.#monitor.emit('SHUTDOWN', how);
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.server.close();
  }
}
