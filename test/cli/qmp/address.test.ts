import { expect, it } from 'vitest';
import { parseQmpAddress } from '../../../src/cli/qmp/qmp-address.js';

it.each([
  ['unix:/tmp/q', { kind: 'unix', path: '/tmp/q' }, false],
  ['unix:q,server=on,wait=off', { kind: 'unix', path: 'q' }, false],
  ['unix:q,server,wait', { kind: 'unix', path: 'q' }, true],
  ['tcp:localhost:4444,server=on,wait=on', { kind: 'tcp', host: 'localhost', port: 4444 }, true],
  ['tcp::0', { kind: 'tcp', host: '127.0.0.1', port: 0 }, false],
  ['tcp:[::1]:4444,nowait', { kind: 'tcp', host: '::1', port: 4444 }, false],
])('understands %s', (text, address, waits) => {
  expect(parseQmpAddress(text)).toEqual({ address, waits });
});

it.each(['', 'unix:', 'stdio', 'tcp:host', 'tcp:host:65536', 'tcp:host:x', 'unix:q,server=off', 'unix:q,reconnect=1'])(
  'refuses %s',
  (text) => {
    expect(() => parseQmpAddress(text)).toThrow(`"${text}" is not a value that --qmp takes`);
  },
);
