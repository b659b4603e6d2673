import { QMP_COMMANDS, type QmpCommand } from '../../harness/qmp/commands.js';
import { QMP_EVENTS } from '../../harness/qmp/events.js';
import { markdownTable, sentence } from '../markdown.js';

const WHERE: Readonly<Record<QmpCommand['on'], string>> = {
  machine: 'Live machines only.',
  replay: 'Replays only.',
  both: '',
};

function commandSection(name: string, { summary, arguments: declared, on, asks }: QmpCommand): string[] {
  const asked = asks === null ? '' : `Policy: \`${asks}\`.`;
  const head = [sentence(summary), WHERE[on], asked].filter((text) => text !== '').join(' ');
  const rows = Object.entries(declared).map(([argument, { type, optional, help }]) => [
    `\`${argument}\``,
    optional === true ? `${type}, optional` : type,
    help,
  ]);
  const table = rows.length === 0 ? [] : [...markdownTable(['Argument', 'Type', 'Meaning'], rows), ''];
  return [`### ${name}`, '', head, '', ...table];
}

/** The text of docs/qmp.md. */
export function qmpReference(): string {
  const events = Object.entries(QMP_EVENTS).map(([name, { summary, data }]) => [`\`${name}\``, summary, data]);
  const lines = [
    '# QMP',
    '',
    'Generated from the tables in `src/harness/qmp/`; `npx vitest run test/cli/qmp -u` writes it anew.',
    '',
    "`reel run --qmp unix:FILE` offers QEMU's machine protocol, `reel replay FILE --qmp unix:FILE` the part of it that a replay",
    'has. `tcp:HOST:PORT` listens at the loopback interface unless a host is named: the protocol knows no passwords, so whoever',
    'reaches the socket may use it. `,server=on,wait=off` is what goes without saying; with `,wait=on` nothing runs before a',
    'client has ended its negotiation.',
    '',
    '```',
    '$ reel run --cdrom none --hda disk.qcow2 --qmp unix:/tmp/reel.sock --out recordings &',
    '$ socat - UNIX-CONNECT:/tmp/reel.sock',
    '{"QMP": {"version": {"qemu": {"major": 0, "minor": 1, "micro": 0}, "package": "guestreel 0.1.0"}, "capabilities": []}}',
    '{"execute": "qmp_capabilities"}',
    '{"return": {}}',
    '{"execute": "guestreel-start", "arguments": {"name": "failure", "reason": "seen by the harness"}}',
    '{"return": {"id": "1c45...", "file": "recordings/failure.reel", "tick": 51547738}}',
    '```',
    '',
    'One client is served at a time, others wait. Each command is answered in its order, with its `id`; errors have the classes',
    '`GenericError` and `CommandNotFound`. A message has up to 1 MiB. A client that goes away, sends nonsense or does not read',
    'hurts nothing but itself: what it sent is done, events that it does not take are lost.',
    '',
    'Clients are the principal `host:api`. What they do to a live machine is subject to its [policy](policy-cookbook.md) and',
    'written to the audit log; a replay has neither. Files are written into the output folder (`--out`) only.',
    '',
    'A paused machine stands between two instructions, and its clock with it. It makes up for nothing when it goes on. Inputs',
    'that arrive meanwhile are taken at the tick at which it goes on. A replay pauses where `replay-seek` sent it, at its end and',
    'where it differs from its recording; from its end, `cont` lets it go, and the program ends.',
    '',
    '## Commands',
    '',
    ...Object.entries(QMP_COMMANDS).flatMap(([name, command]) => commandSection(name, command)),
    '## Events',
    '',
    ...markdownTable(['Event', 'When', 'Members of its data'], events),
    '',
  ];
  return lines.join('\n');
}
