import { DISPI_PORT_COUNT, Vga, VGA_PORT_COUNT } from '../../../src/devices/vga/vga.js';
import type { Bench } from './conformance.js';

/** A VGA on the bench with 1 MiB of video memory; where the window goes is traced. */
export function makeVga(bench: Bench, bytes = new Uint8Array(0x10_0000)): Vga {
  const vga = new Vga('vga', {
    clock: bench.clock,
    videoRam: { bytes, willWrite: () => {} },
    videoRamOffset: 0,
    onWindow: (offsets) => bench.note(`window ${offsets[0] ?? 'by access'}`),
  });
  bench.map(0x3b0, VGA_PORT_COUNT, vga.ports);
  bench.map(0x1ce, DISPI_PORT_COUNT, vga.dispiPorts);
  return vga;
}
