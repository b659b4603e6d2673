/** One option of a verb. Its long name is also accepted with a single dash, as QEMU writes it. */
export interface OptionDeclaration {
  /** Long name without dashes; `no-x` turns off what is on by default. */
  readonly name: string;
  readonly short?: string;
  /** What its argument is called; none makes it a switch. */
  readonly argument?: string;
  /** May be given several times. */
  readonly isList?: boolean;
  readonly help: string;
}

export interface ArgumentDeclaration {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  readonly variadic?: boolean;
  readonly choices?: readonly string[];
}

export interface VerbDeclaration {
  readonly name: string;
  readonly summary: string;
  /** More to know, for the reference. */
  readonly notes?: readonly string[];
  readonly arguments: readonly ArgumentDeclaration[];
  readonly options: readonly OptionDeclaration[];
  /** Schema of what `--json` writes. */
  readonly jsonSchema?: string;
}

/** How commander, and the reference, write an option. */
export function optionFlags({ name, short, argument }: OptionDeclaration): string {
  const long = argument === undefined ? `--${name}` : `--${name} <${argument}>`;
  return short === undefined ? long : `-${short}, ${long}`;
}

export function argumentText({ name, optional, variadic }: ArgumentDeclaration): string {
  const inner = variadic ? `${name}...` : name;
  return optional ? `[${inner}]` : `<${inner}>`;
}

const JSON_OUTPUT: OptionDeclaration = { name: 'json', help: 'write JSON for programs' };
const FILE = { name: 'file', help: 'a recording, `*.reel`' };
const OUTPUT: OptionDeclaration = {
  name: 'output',
  short: 'o',
  argument: 'file',
  help: 'write to this file',
};

const IMAGE_ARGUMENT = 'file';
/** What is in the drives, or for going live, what was. */
const DRIVE_OPTIONS: readonly OptionDeclaration[] = [
  { name: 'fda', argument: IMAGE_ARGUMENT, help: 'diskette in drive A; `none` for a drive without one' },
  { name: 'fdb', argument: IMAGE_ARGUMENT, help: 'diskette in drive B' },
  {
    name: 'hda',
    argument: IMAGE_ARGUMENT,
    help: 'hard disk, master of the first ATA channel: a raw or qcow2 image, never written to',
  },
  { name: 'hdb', argument: IMAGE_ARGUMENT, help: 'hard disk, slave of the first ATA channel' },
  { name: 'hdc', argument: IMAGE_ARGUMENT, help: 'hard disk, master of the second ATA channel' },
  { name: 'hdd', argument: IMAGE_ARGUMENT, help: 'hard disk, slave of the second ATA channel' },
  {
    name: 'cdrom',
    argument: IMAGE_ARGUMENT,
    help: 'CD in a drive in the place of hdc; `none` for a drive without one',
  },
];

/** What happens with a live machine, started or taken over from a replay. */
const LIVE_OPTIONS: readonly OptionDeclaration[] = [
  { name: 'policy', argument: 'file', help: 'policy that says who may do what; see `reel policy`' },
  { name: 'out', argument: 'dir', help: 'folder for recordings (default: `recordings`)' },
  {
    name: 'record',
    argument: 'name',
    help: 'record from the first live tick to the end, on behalf of the principal `host:user`',
  },
  { name: 'audit', argument: 'file', help: 'audit file (default: the one the policy names, in the output folder)' },
  { name: 'no-pacing', help: 'let an idle machine run ahead of the wall clock' },
  {
    name: 'screenshot-marks',
    argument: 'prefix',
    help: 'write the screen as `PREFIX-0001.png` and so on at each mark and each beginning of a phase',
  },
  { name: 'until-serial', argument: 'regex', help: 'end as soon as COM1 has sent text that matches; exit code 0' },
  {
    name: 'timeout-ticks',
    argument: 'n',
    help: 'give up after so many ticks, e.g. `50e9`; exit code 124',
  },
];

const SERIAL: OptionDeclaration = {
  name: 'serial',
  argument: 'where',
  isList: true,
  help: 'COM1: `stdio`, `file:F` or `none`; given again, COM2 to COM4',
};
const PARALLEL: OptionDeclaration = {
  name: 'parallel',
  argument: 'where',
  help: 'what is printed at LPT1: `file:F` or `none` (default: `none`)',
};
const DISPLAY: OptionDeclaration = {
  name: 'display',
  argument: 'how',
  help: '`text` writes the text screen at the end, and draws it live on a terminal that the serial port does not use; `none`',
};

const SCREENSHOT: OptionDeclaration = {
  name: 'screenshot',
  argument: 'file',
  help: 'write the screen as a PNG file at the end; of a replay, where `--until` says',
};

const NETWORK_OPTIONS: readonly OptionDeclaration[] = [
  {
    name: 'nic',
    argument: 'network',
    isList: true,
    help: 'network card and what it is connected to: `user` (address translation; `,hostfwd=tcp::2222-:22`, `,restrict=on`), `stream,path=F` or `stream,host=H,port=N` (`,server=on`), `pcap,file=F`, `none`; with `,model=e1000` or `ne2k_pci`, `,mac=52:54:00:12:34:56`',
  },
  { name: 'netdev', argument: 'network', isList: true, help: 'the same without the card, `user,id=n0`' },
  { name: 'device', argument: 'card', isList: true, help: 'a card for it, `e1000,netdev=n0`' },
];

const QMP: OptionDeclaration = {
  name: 'qmp',
  argument: 'where',
  help: "offer QEMU's machine protocol at a socket: `unix:FILE` or `tcp:HOST:PORT`; with `,wait=on` nothing runs before a client is there; see docs/qmp.md",
};

const PROFILE_OPTIONS: readonly OptionDeclaration[] = [
  {
    name: 'profile',
    argument: 'file',
    help: 'sample where guest time goes: `*.cpuprofile` for Chrome, VS Code and speedscope, other names for collapsed stacks, whose unit is the tick',
  },
  {
    name: 'symbols',
    argument: 'file',
    help: 'names for the profile: System.map, the output of `nm`, or an ELF file',
  },
];

const LIVE_NOTES = [
  'Ctrl-A x ends the machine, Ctrl-A h lists the keys, Ctrl-A Ctrl-A sends Ctrl-A. The first SIGINT, SIGTERM or SIGHUP ends a recording cleanly; the second kills.',
];

/** Every verb with its options: the command line, its help and docs/cli.md are made from this table. */
export const VERBS = [
  {
    name: 'run',
    summary: 'start a machine',
    notes: [
      'Exits with the lower seven bits of the code that the guest ends the machine with, 0 when it powers off or halts for good.',
      'COM1 is at standard input and output unless `--display text` is given, which sends what is typed to the keyboard.',
      ...LIVE_NOTES,
    ],
    arguments: [
      { name: 'image', optional: true, help: 'boot image: a boot sector, or an image of a diskette, hard disk or CD' },
    ],
    options: [
      { name: 'memory', short: 'm', argument: 'size', help: 'RAM: `128`, `128M`, `1G` (default: `128M`)' },
      { name: 'bios', argument: 'file', help: 'BIOS instead of the built-in boot ROM, e.g. bios-256k.bin of SeaBIOS' },
      {
        name: 'video-bios',
        argument: 'file',
        help: 'video BIOS for it; vgabios-stdvga.bin beside the BIOS is found by itself',
      },
      ...DRIVE_OPTIONS,
      {
        name: 'boot',
        argument: 'order',
        help: 'where the firmware looks for something to boot, in letters: `a` diskette, `c` hard disk, `d` CD, `n` network (default: IMAGE, then `cad`)',
      },
      { name: 'kernel', argument: 'file', help: 'Linux kernel (bzImage) or multiboot kernel to boot' },
      { name: 'initrd', argument: 'file', help: 'initial RAM disk for the kernel' },
      { name: 'append', argument: 'text', help: "the kernel's command line" },
      ...NETWORK_OPTIONS,
      SERIAL,
      PARALLEL,
      DISPLAY,
      SCREENSHOT,
      { name: 'nographic', help: 'same as `--serial stdio --display none`' },
      {
        name: 'icount',
        argument: 'shift=N',
        help: 'a tick lasts 2^N nanoseconds, N from 0 to 10; without it 4 nanoseconds',
      },
      {
        name: 'rtc',
        argument: 'base=TIME',
        help: "start of the guest's calendar: `base=utc` for now, or `base=2026-01-31T12:00:00`, which is UTC",
      },
      { name: 'no-apic', help: 'a PC with its 8259 interrupt controllers alone, without APICs' },
      { name: 'epoch', argument: 'time', help: 'the same as seconds since 1970 or as ISO 8601 time' },
      QMP,
      ...PROFILE_OPTIONS,
      ...LIVE_OPTIONS,
    ],
  },
  {
    name: 'replay',
    summary: 'follow a recording, and go live if asked',
    notes: [
      'Exit code 3 when the replay differs from the recording. Without `--live` the machine ends where the replay does.',
      ...LIVE_NOTES,
    ],
    arguments: [FILE],
    options: [
      { name: 'until', argument: 'where', help: 'a tick, `mark:LABEL` or `end` (default: `end`)' },
      { name: 'live', help: 'go live there: inputs come from the world from then on' },
      {
        ...SERIAL,
        help: 'COM1: `stdio`, `file:F` or `none` (default: `none`, with `--live` as for `run`); given again, COM2 to COM4',
      },
      PARALLEL,
      DISPLAY,
      SCREENSHOT,
      { name: 'nographic', help: 'same as `--serial stdio --display none`' },
      {
        name: 'image',
        argument: 'file',
        help: 'an image of the machine, for going live; which one it is tells its SHA-256',
      },
      ...DRIVE_OPTIONS,
      ...NETWORK_OPTIONS,
      QMP,
      ...PROFILE_OPTIONS,
      ...LIVE_OPTIONS,
    ],
  },
  {
    name: 'verify',
    summary: 'replay recordings and compare every digest',
    notes: [
      'Exit code 0 when all are the same, otherwise that of the first that is not: 3 diverged, 4 damaged. A divergence is reported with its tick, both sides and the mark before it.',
    ],
    arguments: [{ ...FILE, variadic: true }],
    options: [JSON_OUTPUT],
    jsonSchema: 'schemas/cli-verify.schema.json',
  },
  {
    name: 'info',
    summary: 'tell what a recording is and what is in it',
    arguments: [FILE],
    options: [JSON_OUTPUT],
    jsonSchema: 'schemas/cli-info.schema.json',
  },
  {
    name: 'marks',
    summary: 'list the marks, phases and verdicts of a recording',
    arguments: [FILE],
    options: [JSON_OUTPUT],
    jsonSchema: 'schemas/cli-marks.schema.json',
  },
  {
    name: 'export',
    summary: 'write a recording in the form of another tool',
    notes: [
      '`trace`: Chrome trace events of phases and marks, which Perfetto opens; time stamps are guest time.',
      '`junit`: a test case per verdict; a phase in which nothing was judged is skipped, or an error when the recording ends in it.',
      '`serial`: the bytes that a serial port sent. `json`: a line per entry, payloads in base64, hashes in hexadecimal.',
      '`core` and `lime`: replay, and write RAM as it is then into a new file, an ELF core file with the registers or for Volatility.',
      '`overlay`: replays, and writes what a drive holds then as a raw image into a new file: its image with all that the guest has written.',
    ],
    arguments: [FILE],
    options: [
      {
        name: 'as',
        argument: 'format',
        help: '`trace`, `junit`, `serial`, `pcapng`, `json`, `overlay`, `core` or `lime`',
      },
      { name: 'port', argument: 'n', help: 'serial port for `--as serial`, COM1 is 0 (default: 0)' },
      {
        name: 'drive',
        argument: 'name',
        help: 'drive for `--as overlay`: `fda`, `fdb`, `hda` to `hdd` (default: `hda`)',
      },
      { name: 'image', argument: 'file', help: 'base image of that drive; images up to 4 MiB are in the recording' },
      {
        name: 'until',
        argument: 'where',
        help: 'for `--as overlay`, `core` and `lime`: a tick, `mark:LABEL` or `end` (default: `end`)',
      },
      { ...OUTPUT, help: 'write to this file (default: standard output)' },
    ],
    jsonSchema: 'schemas/cli-export-entry.schema.json',
  },
  {
    name: 'recover',
    summary: 'make a complete recording of what is whole in a damaged or unfinished one',
    arguments: [{ ...FILE, help: 'a recording, `*.reel` or `*.reel.partial`' }],
    options: [
      { ...OUTPUT, help: 'write to this file, which must not exist (default: a new name beside it)' },
      JSON_OUTPUT,
    ],
    jsonSchema: 'schemas/cli-recover.schema.json',
  },
  {
    name: 'images',
    summary: 'list the guest images that come with guestreel, or build them from their sources',
    notes: ['`build` needs NASM and says of each image whether it is the one that comes with guestreel.'],
    arguments: [{ name: 'what', choices: ['list', 'build'], help: '`list` or `build`' }],
    options: [
      { ...OUTPUT, argument: 'dir', help: 'folder to build into (default: that of the package)' },
      { ...JSON_OUTPUT, help: 'write the list as JSON for programs' },
    ],
    jsonSchema: 'schemas/cli-images.schema.json',
  },
] as const satisfies readonly VerbDeclaration[];

export type VerbName = (typeof VERBS)[number]['name'];

export function verbNamed(name: string): VerbDeclaration | undefined {
  return VERBS.find((verb) => verb.name === name);
}

/** Options of QEMU that guestreel knows but does not have: what is missing, and what to do instead. */
export const MISSING_QEMU_OPTIONS: Readonly<Record<string, string>> = {
  drive: 'drives are given by name; use --fda, --hda to --hdd, or --cdrom',
  blockdev: 'drives are given by name; use --fda, --hda to --hdd, or --cdrom',
  pflash: 'firmware is not written to; use --bios',
  net: 'use --nic, e.g. --nic user,model=e1000',
  usb: 'USB is not emulated',
  usbdevice: 'USB is not emulated',
  vga: 'the text screen is the only display',
  sdl: 'there is no graphical display; use --display text',
  gtk: 'there is no graphical display; use --display text',
  curses: 'there is no curses display; use --display text',
  vnc: 'there is no VNC server; use --display text',
  spice: 'there is no SPICE server; use --display text',
  audio: 'sound is not emulated',
  audiodev: 'sound is not emulated',
  soundhw: 'sound is not emulated',
  smp: 'there is one processor',
  cpu: 'there is one processor model, i686 with SSE2',
  machine: 'there is one machine',
  M: 'there is one machine',
  accel: 'there is one engine',
  'enable-kvm': 'there is one engine; virtualization is not deterministic',
  gdb: 'there is no gdb server in this version',
  s: 'there is no gdb server in this version',
  S: 'a machine starts at once; use --qmp unix:FILE,wait=on',
  monitor: 'there is no monitor for people; programs use --qmp',
  chardev: 'character devices are not configurable; use --serial',
  debugcon: 'the output of the debug console is in recordings; see reel export --as json',
  'no-shutdown': 'a machine ends when it powers off',
  'no-reboot': 'a reset starts the machine anew; a triple fault ends it in any case',
  snapshot: 'images are never written to',
  loadvm: 'there are no saved states; a recording can go live at any tick: reel replay FILE --live',
  incoming: 'migration is not supported',
  daemonize: 'a machine runs in the foreground',
  fsdev: 'shared folders are not emulated',
  virtfs: 'shared folders are not emulated',
  d: 'there is no debug log',
  D: 'there is no debug log',
  trace: 'there is no debug log',
};
