/** What an argument may be. */
export interface QmpArgument {
  readonly type: keyof QmpValues;
  readonly optional?: true;
  readonly help: string;
}

/** Arguments as handlers get them. */
interface QmpValues {
  readonly string: string;
  readonly integer: number;
  readonly boolean: boolean;
  readonly strings: readonly string[];
  readonly keys: readonly string[];
}

export interface QmpCommand {
  readonly summary: string;
  readonly arguments: Readonly<Record<string, QmpArgument>>;
  /** What it is for: a live machine, a replay, or either. */
  readonly on: 'machine' | 'replay' | 'both';
  /** Action that the policy of a live machine is asked for; null where nothing is changed. */
  readonly asks: 'control' | 'start' | 'stop' | 'mark' | null;
}

const DRIVE_ARGUMENTS = {
  id: { type: 'string', optional: true, help: 'the drive by its name here: `fda`, `fdb`, `hdc`...' },
  device: { type: 'string', optional: true, help: "or by QEMU's: `floppy0`, `ide1-cd0`..." },
  force: { type: 'boolean', optional: true, help: 'accepted; media are always let go of' },
} as const satisfies Record<string, QmpArgument>;

/** Every command, with QEMU's names and arguments where QEMU has it. Validation and docs/qmp.md are made from this table. */
export const QMP_COMMANDS = {
  qmp_capabilities: {
    summary: 'ends the negotiation: the first command of every client',
    arguments: { enable: { type: 'strings', optional: true, help: 'capabilities; there are none' } },
    on: 'both',
    asks: null,
  },
  'query-version': {
    summary: "this program's version, in the form of QEMU's",
    arguments: {},
    on: 'both',
    asks: null,
  },
  'query-commands': {
    summary: 'names of the commands that can be given now',
    arguments: {},
    on: 'both',
    asks: null,
  },
  'query-name': { summary: 'name of the recording that is replayed or made', arguments: {}, on: 'both', asks: null },
  'query-status': {
    summary: '`running`, `paused`, or `internal-error` for a replay that diverged',
    arguments: {},
    on: 'both',
    asks: null,
  },
  stop: {
    summary: 'pauses at the present tick; the clock of the guest stands still',
    arguments: {},
    on: 'both',
    asks: 'control',
  },
  cont: { summary: 'goes on', arguments: {}, on: 'both', asks: 'control' },
  system_reset: { summary: 'resets the machine', arguments: {}, on: 'machine', asks: 'control' },
  system_powerdown: { summary: 'presses the power button', arguments: {}, on: 'machine', asks: 'control' },
  quit: {
    summary: 'ends the run; a recording ends cleanly',
    arguments: {},
    on: 'both',
    asks: 'control',
  },
  screendump: {
    summary: 'writes the screen into a file in the output folder; an earlier one of that name is replaced',
    arguments: {
      filename: { type: 'string', help: 'a path in the output folder that ends in `.png` or `.ppm`' },
      format: { type: 'string', optional: true, help: '`png` or `ppm`; what the name ends in unless given' },
    },
    on: 'both',
    asks: 'control',
  },
  'send-key': {
    summary: 'presses keys in their order, and releases them in the opposite one',
    arguments: {
      keys: { type: 'keys', help: 'e.g. `[{"type": "qcode", "data": "ctrl"}, {"type": "qcode", "data": "c"}]`' },
      'hold-time': {
        type: 'integer',
        optional: true,
        help: 'accepted; keys are released at the tick they are pressed',
      },
    },
    on: 'machine',
    asks: 'control',
  },
  'query-block': { summary: 'the drives and what is in them', arguments: {}, on: 'both', asks: null },
  'blockdev-change-medium': {
    summary: 'puts a diskette or a CD into a drive, in the place of what is there',
    arguments: {
      ...DRIVE_ARGUMENTS,
      filename: { type: 'string', help: 'an image' },
      format: {
        type: 'string',
        optional: true,
        help: '`raw` or `qcow2`; what the file begins with tells unless given',
      },
      'read-only-mode': {
        type: 'string',
        optional: true,
        help: '`retain`, `read-only` or `read-write`: accepted; images are never written to',
      },
    },
    on: 'machine',
    asks: 'control',
  },
  eject: { summary: 'empties a drive', arguments: DRIVE_ARGUMENTS, on: 'machine', asks: 'control' },
  'query-replay': {
    summary: '`play`, `record` or `none`, the file, and the tick as `icount`',
    arguments: {},
    on: 'both',
    asks: null,
  },
  'replay-seek': {
    summary: 'goes to a tick, forwards or backwards, and pauses there; STOP tells when',
    arguments: { icount: { type: 'integer', help: 'the tick' } },
    on: 'replay',
    asks: null,
  },
  'guestreel-start': {
    summary: 'starts a recording',
    arguments: {
      name: { type: 'string', help: 'its name' },
      reason: { type: 'string', optional: true, help: 'why, for whoever reads it' },
    },
    on: 'machine',
    asks: 'start',
  },
  'guestreel-stop': { summary: 'ends the recording', arguments: {}, on: 'machine', asks: 'stop' },
  'guestreel-mark': {
    summary: 'sets a mark at the present tick',
    arguments: {
      label: { type: 'string', help: 'its label' },
      value: { type: 'integer', optional: true, help: 'a number to go with it, 0 or more (default: 0)' },
    },
    on: 'machine',
    asks: 'mark',
  },
  'guestreel-query-recording': {
    summary: 'the recording that is being made, and the tick',
    arguments: {},
    on: 'machine',
    asks: null,
  },
} as const satisfies Record<string, QmpCommand>;

export type QmpCommandName = keyof typeof QMP_COMMANDS;

type Table = typeof QMP_COMMANDS;
type Declared<N extends QmpCommandName> = Table[N]['arguments'];
type OptionalOf<A> = { [K in keyof A]: A[K] extends { readonly optional: true } ? K : never }[keyof A];
type ValueOf<A> = A extends { readonly type: infer T extends keyof QmpValues } ? QmpValues[T] : never;

/** The arguments of a command, checked. */
export type QmpArguments<N extends QmpCommandName> = {
  readonly [K in Exclude<keyof Declared<N>, OptionalOf<Declared<N>>>]: ValueOf<Declared<N>[K]>;
} & { readonly [K in OptionalOf<Declared<N>>]?: ValueOf<Declared<N>[K]> };

/** Those that a monitor answers whatever it watches. */
export type QmpOwnCommand = 'qmp_capabilities' | 'query-version' | 'query-commands';

type CommandsOn<T> = { [N in QmpCommandName]: Table[N]['on'] extends T ? N : never }[QmpCommandName];
export type QmpMachineCommand = Exclude<CommandsOn<'both' | 'machine'>, QmpOwnCommand>;
export type QmpReplayCommand = Exclude<CommandsOn<'both' | 'replay'>, QmpOwnCommand>;

/** What commands do. The result, or nothing for an empty one, is what the client gets. */
export type QmpHandlers<N extends QmpCommandName> = {
  readonly [K in N]: (given: QmpArguments<K>) => unknown;
};

export function isQmpCommand(name: string): name is QmpCommandName {
  return Object.hasOwn(QMP_COMMANDS, name);
}
