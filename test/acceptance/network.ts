/**
 * Debian's kernel with its drivers on both network cards, over address translation: DHCP, ping, a file by wget from a
 * server on the loopback interface and back by nc, recorded; replay without a network comes to the same digests; and the
 * machine goes live again and loads the file once more.
 *
 * `npx tsx test/acceptance/network.ts [--megabytes 50] [--only e1000]`; packages are fetched with apt-get into `--cache`.
 * Exits with 1 if something failed; a package that cannot be had is a reason to skip.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Machine, Recording, type MachineOptions } from '../../src/index.js';
import { cpioArchive, type ArchivedFile } from './systems/initramfs.js';
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
  e1000: ['intel/e1000/e1000.ko'],
  ne2k_pci: ['8390/8390.ko', '8390/ne2k-pci.ko'],
} as const;
type Model = keyof typeof MODULES;

const INIT = `#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
echo INIT-READY
exec setsid sh -c 'exec sh </dev/ttyS0 >/dev/ttyS0 2>&1'
`;
const ON_LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
ifconfig $interface $ip netmask $subnet
route add default gw $router
echo "LEASE $ip $router $dns"
`;
/** No command takes as long, in guest instructions. */
const PATIENCE_TICKS = 400e9;

function kernelPackage(packages: Packages): string {
  try {
    const names = execFileSync('apt-cache', ['search', '--names-only', '^linux-image-[0-9.-]*-686$'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    const [newest] = names
      .split('\n')
      .map((line) => line.split(' ')[0]!)
      .filter((name) => name !== '')
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    if (newest !== undefined) return packages.folder(`${newest}:i386`);
  } catch (error) {
    if (error instanceof Skipped) throw error;
  }
  throw new Skipped('there is no Debian kernel for i386: dpkg --add-architecture i386; apt-get update');
}

/** Kernel and initial RAM disk: busybox, and the drivers of `model`. */
function guest(packages: Packages, model: Model): { kernel: string; initrd: Uint8Array } {
  const folder = kernelPackage(packages);
  const boot = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz'))!;
  const release = boot.slice('vmlinuz-'.length);
  const drivers = join(folder, 'lib/modules', release, 'kernel/drivers/net/ethernet');
  const text = (path: string, contents: string): ArchivedFile => ({ path, kind: 'file', bytes: Buffer.from(contents) });
  const folders = ['bin', 'dev', 'proc', 'sys', 'tmp', 'mod'].map((path) => ({ path, kind: 'folder' }) as const);
  const modules = MODULES[model].map((path, n): ArchivedFile => ({
    path: `mod/${n}.ko`,
    kind: 'file',
    bytes: readFileSync(join(drivers, path)),
  }));
  const busybox = readFileSync(packages.file('busybox-static:i386', 'bin/busybox'));
  return {
    kernel: join(folder, 'boot', boot),
    initrd: cpioArchive([
      ...folders,
      { path: 'dev/console', kind: 'console' },
      { path: 'bin/busybox', kind: 'file', bytes: busybox },
      { path: 'bin/sh', kind: 'link', bytes: Buffer.from('busybox') },
      text('init', INIT),
      text('bin/lease', ON_LEASE),
      ...modules,
    ]),
  };
}

async function runTo(machine: Machine, pattern: RegExp, what: string): Promise<void> {
  const stop = await machine.run({ until: { serial: pattern, ticks: machine.tick + PATIENCE_TICKS } });
  if (stop.kind === 'matched' && stop.what === 'serial') return;
  throw new Error(`${what}: ${JSON.stringify(stop)} ${JSON.stringify(machine.serialText.slice(-400))}`);
}

/** Runs a command in the guest; what it prints must match. Seconds of the host that it took. */
async function command(machine: Machine, line: string, expected: RegExp): Promise<number> {
  const from = machine.serialText.length;
  const begun = performance.now();
  // The echo of the line does not have the number behind it.
  machine.typeSerial(`${line}; echo "rc=$?="\n`);
  await runTo(machine, /rc=\d+=\r?\n/, line);
  const text = machine.serialText.slice(from).replaceAll('\r', '');
  if (!expected.test(text)) throw new Error(`"${line}" printed ${JSON.stringify(text.slice(-800))}`);
  return (performance.now() - begun) / 1000;
}

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
    const append = 'console=ttyS0 quiet';
    const machine = await Machine.create({ ...guest(packages, model), append, ...options, network: [{ model }] });
    await runTo(machine, /INIT-READY[^]*# /, 'boot');
    await machine.startRecording({ name: model });
    await command(machine, 'for m in /mod/*.ko; do insmod $m; done; ifconfig eth0 up', /rc=0=/);
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
