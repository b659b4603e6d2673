/** `v86-machine.js ORDER`: boots the guest in v86 and writes its serial line to standard output, until its work is done. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { SerialOutput } from './serial-output.js';

export interface V86Order {
  readonly module: string;
  readonly wasm: string;
  readonly bios: string;
  readonly vgaBios: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
  readonly memoryMib: number;
  /** An image of the first disk; null for none. */
  readonly disk: string | null;
  readonly hasNetwork: boolean;
}

/** What is used of the package. */
interface V86Machine {
  add_listener(event: 'serial0-output-byte', listener: (byte: number) => void): void;
}
interface V86Module {
  readonly V86: new (options: Readonly<Record<string, unknown>>) => V86Machine;
}

function image(file: string): { buffer: ArrayBuffer } {
  const { buffer, byteOffset, length } = readFileSync(file);
  return { buffer: buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer };
}

const order = JSON.parse(process.argv[2]) as V86Order;
const { V86 } = (await import(pathToFileURL(order.module).href)) as V86Module;
const machine = new V86({
  wasm_path: order.wasm,
  memory_size: order.memoryMib * 2 ** 20,
  vga_memory_size: 2 * 2 ** 20,
  bios: image(order.bios),
  vga_bios: image(order.vgaBios),
  bzimage: image(order.kernel),
  initrd: image(order.initrd),
  cmdline: order.append,
  autostart: true,
  acpi: false,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
  ...(order.disk === null ? {} : { hda: image(order.disk) }),
  // Its own TCP, in front of Node's fetch. With the other card it has the download was slower.
  ...(order.hasNetwork ? { net_device: { type: 'ne2k', relay_url: 'fetch' } } : {}),
});
const output = new SerialOutput((line) => {
  // Without ACPI the guest has no means to power off.
  if (line.includes('ALL-DONE')) process.exit(0);
  if (line.includes('Kernel panic')) process.exit(1);
});
machine.add_listener('serial0-output-byte', (byte) => output.write([byte]));
