/**
 * Debian's kernel with its drivers on both network cards, over address translation: DHCP, ping, a file by wget from a
 * server on the loopback interface and back by nc, recorded; replay without a network comes to the same digests; and the
 * machine goes live again and loads the file once more.
 *
 * `npx tsx test/guests/network.ts [--megabytes 50] [--only e1000]`; packages are fetched with apt-get into `--cache`.
 * Exits with 1 if something failed; a package that cannot be had is a reason to skip.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Machine, Recording, type MachineOptions } from '../../src/index.js';
import { awaitShell, command, debianGuest, LOAD_MODULES, SERIAL_CONSOLE } from './systems/debian-guest.js';
import { Packages, Skipped } from './systems/packages.js';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '50' },
    only: { type: 'string' },
    cache: { type: 'string', default: join(tmpdir(), 'guestreel-systems') },
  },
});

/** Modules of a card, in the order in which they are loaded. */
const MODULES = {
  e1000: ['drivers/net/ethernet/intel/e1000/e1000.ko'],
  ne2k_pci: ['drivers/net/ethernet/8390/8390.ko', 'drivers/net/ethernet/8390/ne2k-pci.ko'],
} as const;
type Model = keyof typeof MODULES;

const ON_LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
ifconfig $interface $ip netmask $subnet
route add default gw $router
echo "LEASE $ip $router $dns"
`;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const listening = (server: Server): Promise<void> =>
  new Promise((done) => void server.listen(0, '127.0.0.1', () => done()));

/** Servers on the loopback interface: one gives the file, the other one takes a file and keeps its MD5. */
class Servers {
  readonly #web = createHttpServer((_, response) => response.end(this.file));
  readonly #sink: Server;
  received: Promise<string>;

  constructor(readonly file: Uint8Array) {
    let done: (md5: string) => void;
    this.received = new Promise((resolve) => {
      done = resolve;
    });
    this.#sink = createServer({ allowHalfOpen: true }, (socket) => {
      const hash = createHash('md5');
      socket.on('data', (bytes) => hash.update(bytes));
      socket.on('error', () => done('connection lost'));
      socket.on('end', () => {
        socket.end();
        done(hash.digest('hex'));
      });
    });
  }
  async open(): Promise<void> {
    await listening(this.#web);
    await listening(this.#sink);
  }
  get webPort(): number {
    return portOf(this.#web);
  }
  get sinkPort(): number {
    return portOf(this.#sink);
  }
  close(): void {
    this.#web.close();
    this.#sink.close();
  }
}

async function attempt(model: Model, packages: Packages, megabytes: number): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'network-'));
  const bytes = randomBytes(megabytes * 1e6);
  const md5 = createHash('md5').update(bytes).digest('hex');
  const servers = new Servers(bytes);
  await servers.open();
  const mbits = (seconds: number): string => ((megabytes * 8) / seconds).toFixed(0);
  try {
    const options: MachineOptions = { memory: `${128 + 2 * megabytes}M`, nsPerTick: 1, pacing: false, outDir };
    const guest = debianGuest(packages, { modules: MODULES[model], files: { 'bin/lease': ON_LEASE } });
    const machine = await Machine.create({ ...guest, append: SERIAL_CONSOLE, ...options, network: [{ model }] });
    await awaitShell(machine);
    await machine.startRecording({ name: model });
    await command(machine, `${LOAD_MODULES}; ifconfig eth0 up`, /rc=0=/);
    const lease = /LEASE 10\.0\.2\.15 10\.0\.2\.2 10\.0\.2\.3\n/;
    await command(machine, 'udhcpc -i eth0 -n -q -s /bin/lease', lease);
    await command(machine, 'ping -c 3 10.0.2.2', /3 packets transmitted, 3 packets received, 0% packet loss/);
    const get = `wget -q -O /tmp/file http://10.0.2.2:${servers.webPort}/file`;
    const down = await command(machine, get, /rc=0=/);
    await command(machine, 'md5sum /tmp/file', new RegExp(`${md5} `));
    await machine.mark('loaded');
    const up = await command(machine, `nc 10.0.2.2 ${servers.sinkPort} </tmp/file`, /rc=0=/);
    const received = await servers.received;
    if (received !== md5) throw new Error(`the guest sent something else: ${received}, not ${md5}`);
    const file = await machine.stopRecording();
    await machine.close();

    const recording = await Recording.open(file);
    const begun = performance.now();
    const verified = await recording.verify();
    const replayed = (performance.now() - begun) / 1000;
    if (!verified.ok) throw new Error(`diverged: ${JSON.stringify(verified.divergence)}`);
    const replay = await recording.replay();
    await replay.run({ until: { mark: 'loaded' } });
    const live = await replay.goLive({ outDir, pacing: false, network: [{ model }] });
    await command(live, `rm /tmp/file; ${get}`, /rc=0=/);
    await command(live, 'md5sum /tmp/file', new RegExp(`${md5} `));
    await live.close();
    await recording.close();
    const size = (statSync(file).size / 1e6).toFixed(1);
    return (
      `${megabytes} MB in at ${mbits(down)} Mbit/s, out at ${mbits(up)} Mbit/s, recording ${size} MB, ` +
      `${verified.digests} digests verified in ${replayed.toFixed(1)} s`
    );
  } finally {
    servers.close();
    rmSync(outDir, { recursive: true, force: true });
  }
}

const packages = new Packages(resolve(values.cache));
for (const model of Object.keys(MODULES) as Model[]) {
  if (values.only !== undefined && values.only !== model) continue;
  try {
    process.stdout.write(`ok       ${model.padEnd(10)} ${await attempt(model, packages, Number(values.megabytes))}\n`);
  } catch (error) {
    const isSkipped = error instanceof Skipped;
    process.stdout.write(`${isSkipped ? 'skipped' : 'failed'}  ${model.padEnd(10)} ${(error as Error).message}\n`);
    if (!isSkipped) process.exitCode = 1;
  }
}
