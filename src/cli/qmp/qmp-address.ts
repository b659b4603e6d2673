import { CodedError } from '../../base/errors.js';
import type { QmpAddress } from '../../host/qmp/address.js';

const OPTION = '--qmp';
const FORM = 'unix:FILE or tcp:HOST:PORT, with ,server=on and ,wait=on or ,wait=off';
const LOOPBACK = '127.0.0.1';

/** Where QMP is offered, and whether the machine waits for a client. */
export interface QmpOption {
  readonly address: QmpAddress;
  readonly waits: boolean;
}

function wrong(text: string, hint = FORM): CodedError {
  return new CodedError('USAGE', `"${text}" is not a value that ${OPTION} takes`, { hint });
}

/** QEMU's notation: `unix:/tmp/qmp,server=on,wait=off`, `tcp:localhost:4444,server,nowait`. Throws USAGE. */
export function parseQmpAddress(text: string): QmpOption {
  const [place = '', ...settings] = text.split(',');
  let waits = false;
  for (const setting of settings) {
    if (setting === 'wait' || setting === 'wait=on') waits = true;
    else if (setting === 'nowait' || setting === 'wait=off') waits = false;
    else if (setting === 'server=off') throw wrong(text, 'clients connect to guestreel, not the other way round');
    else if (setting !== 'server' && setting !== 'server=on') throw wrong(text);
  }
  if (place.startsWith('unix:') && place.length > 5) {
    return { address: { kind: 'unix', path: place.slice(5) }, waits };
  }
  const match = /^tcp:(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(place);
  const port = match === null ? NaN : Number(match[3]);
  if (match === null || port > 65_535) throw wrong(text);
  // QEMU offers it to the whole network where no host is named; QMP has no passwords.
  const host = (match[1] ?? match[2] ?? '') || LOOPBACK;
  return { address: { kind: 'tcp', host, port }, waits };
}
