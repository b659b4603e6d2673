import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hash.js';
import { hostServices } from '../../src/host/services.js';
import type { DriveConfig } from '../../src/machine/drives.js';
import { applyBoot, planBoot } from '../../src/machine/boot.js';
import { DEVICE_MEMORY, NETWORK_ROM_BYTES } from '../../src/machine/memory-map.js';
import type { NetworkCardConfig } from '../../src/machine/network-cards.js';
import { createPc, type Pc } from '../../src/machine/pc.js';
import { LiveSession } from '../../src/replay/live-session.js';
import { image } from './guest.js';

const services = await hostServices();
const MEMORY = 16 * 1024 * 1024;
const PATIENCE = 50_000_000;
const FLOPPY = { cylinders: 80, heads: 2, sectorsPerTrack: 18 };

const E1000: NetworkCardConfig = { model: 'e1000', mac: '52:54:00:12:34:56', hasRom: true };

interface Options {
  readonly roms: readonly Uint8Array[];
  readonly bootOrder?: string;
  readonly bootImage?: Uint8Array;
  readonly cards?: readonly NetworkCardConfig[];
}

/** A PC whose network cards have expansion ROMs, in front of its reset vector; and what it says on port E9h and COM1. */
function pcWith({ roms, bootOrder = 'na', bootImage, cards = roms.map(() => E1000) }: Options) {
  const drives: DriveConfig[] = [];
  const sha256 = bootImage === undefined ? '' : toHex(services.hashing.sha256(bootImage));
  if (bootImage !== undefined) {
    const medium = { ...FLOPPY, sha256, imageBytes: bootImage.length, sectorCount: 2880, readOnly: false };
    drives.push({ id: 'fda', kind: 'floppy', medium });
  }
  const rom = services.bootRom();
  const pc = createPc({
    config: {
      memoryBytes: MEMORY,
      nsPerTick: 4,
      epochSeconds: 1_000_000_000,
      serialPorts: 1,
      parallelPorts: 0,
      apic: true,
      firmware: 'builtin',
      hasVideoRom: false,
      romSha256: '0'.repeat(64),
      drives,
      networkCards: cards,
      bootOrder,
      bootEntry: null,
    },
    code: services.cpuCode(),
    hashing: services.hashing,
  });
  if (bootImage !== undefined) {
    const read = (offset: number, count: number): Uint8Array => bootImage.subarray(offset, offset + count);
    pc.images.add(sha256, { sizeBytes: bootImage.length, read });
  }
  const firmware = { kind: 'builtin', rom, font: services.videoFont(), videoRom: null } as const;
  const kernel = { kernel: null, initrd: null, append: '', ramSizeBytes: MEMORY };
  applyBoot(pc, planBoot({ ...kernel, hasBios: false, hasDrives: true }), firmware);
  roms.forEach((bytes, n) =>
    pc.memoryMap.loadRom(DEVICE_MEMORY.networkRom + n * NETWORK_ROM_BYTES, NETWORK_ROM_BYTES, bytes),
  );
  const said = { console: '', serial: '' };
  pc.machine.gate.tap((kind, channel, bytes) => {
    if (kind === 'debugcon' && channel === 0) said.console += String.fromCharCode(...bytes);
    if (kind === 'serial') said.serial += String.fromCharCode(...bytes);
  });
  const session = new LiveSession(pc.machine, 0);
  return { pc, said, run: (until = PATIENCE) => session.run(until) };
}

const ROM_AT = 0x800;
const ROM_BYTES = 8 * 512;
const SUM_AT = ROM_AT + 0x1c;

function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** The test ROM with its checksums. `change` is made before them. */
function optionRom(change: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = image('option-rom.bin');
  change(bytes);
  const view = new DataView(bytes.buffer);
  let header = view.getUint16(ROM_AT + 0x1a, true);
  while (header !== 0) {
    const at = ROM_AT + header;
    bytes[at + 9] = -sumOf(bytes.subarray(at, at + 32));
    header = view.getUint16(at + 6, true);
  }
  bytes[SUM_AT] = 0;
  bytes[SUM_AT] = -sumOf(bytes.subarray(ROM_AT, ROM_AT + ROM_BYTES));
  return bytes;
}

/** Sets the byte of the ROM that says how it gives up. */
function leavesByInt18(bytes: Uint8Array): void {
  const at = Buffer.from(bytes).lastIndexOf(Uint8Array.of(0x00, 0xa5));
  bytes[at] = 1;
}

/** Configuration spaces, without what a running machine changes. */
function configurations({ pci }: Pc): Map<string, string> {
  return new Map(
    pci.slots.map(({ device, function: fn, target }) => [`${device}.${fn}`, toHex(target.config.bytes.slice())]),
  );
}

describe('expansion ROMs', () => {
  it('are copied, started, and tried in the boot order', () => {
    const { said, run } = pcWith({ roms: [optionRom()], bootImage: image('hello-serial.img') });
    expect(run()).toEqual({ kind: 'powered-off' });
    expect(said.console).toBe('init 0018 C800 pnp\nconnect 0018 \nboot 0018 A5 \n');
    expect(said.serial).toContain('hello');
  });

  it('may give up by INT 18h', () => {
    const { said, run } = pcWith({ roms: [optionRom(leavesByInt18)], bootImage: image('hello-serial.img') });
    expect(run()).toEqual({ kind: 'powered-off' });
    expect(said.console).toContain('boot 0018');
    expect(said.serial).toContain('hello');
  });

  it('are not booted from where the order has no network', () => {
    const { said, run } = pcWith({
      roms: [optionRom()],
      bootImage: image('hello-serial.img'),
      bootOrder: 'a',
    });
    run();
    expect(said.console).toBe('init 0018 C800 pnp\nconnect 0018 \n');
    expect(said.serial).toContain('hello');
  });

  it('lie one behind the other, in the room that each has left', () => {
    const { pc, said, run } = pcWith({ roms: [optionRom(), optionRom()] });
    run();
    expect(said.console).toBe(
      'init 0018 C800 pnp\ninit 0020 C880 pnp\nconnect 0018 \nconnect 0020 \nboot 0018 A5 \nboot 0020 A5 \n',
    );
    expect(pc.vga.screenText()).toContain('No bootable disk.');
    // Read-only now, and the area behind them is closed.
    const { bytes } = pc.pci.config(0, 0)!.config;
    expect([...bytes.subarray(0x5a, 0x60)]).toEqual([0, 0x01, 0, 0, 0x33, 0x33]);
  });

  it.each<readonly [string, (bytes: Uint8Array) => void, boolean]>([
    ['another device', (bytes) => bytes.set([0x0f], ROM_AT + 0x1d + 6), false],
    ['no signature', (bytes) => bytes.set([0x54], ROM_AT), false],
    ['no data structure', (bytes) => bytes.set([0x51], ROM_AT + 0x1d), false],
    ['a data structure outside', (bytes) => bytes.set([0xff, 0xff], ROM_AT + 0x18), false],
    ['no size', (bytes) => bytes.set([0], ROM_AT + 2), false],
    ['no image for PCs', (bytes) => bytes.set([0x80], 0x1c + 0x15), false],
    ['images that end nowhere', (bytes) => bytes.set([0, 0], 0x1c + 0x10), false],
    ['no room', (bytes) => bytes.set([0xff], ROM_AT + 2), false],
    ['a wrong sum', () => {}, true],
  ])('are left alone with %s', (_what, change, isSumWrong) => {
    const rom = optionRom(change);
    if (isSumWrong) rom[SUM_AT] ^= 1;
    const { said, run } = pcWith({ roms: [rom], bootImage: image('hello-serial.img') });
    expect(run()).toEqual({ kind: 'powered-off' });
    expect(said.console).toBe('');
    expect(said.serial).toContain('hello');
  });
});

describe('PCI behind the boot ROM', () => {
  it('is what kernels find that start without one', () => {
    const roms = [optionRom(), new Uint8Array()];
    const cards: NetworkCardConfig[] = [E1000, { ...E1000, model: 'ne2k_pci' }];
    const { pc, run } = pcWith({ roms, cards, bootOrder: '' });
    const before = configurations(pc);
    run();
    expect(pc.vga.screenText()).toContain('No bootable disk.');
    const after = configurations(pc);
    after.set('0.0', before.get('0.0')!);
    expect(after).toEqual(before);
  });
});
