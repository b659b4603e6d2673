import { beforeEach, describe, expect, it } from 'vitest';
import { buildAcpiTables } from '../../../src/devices/acpi-tables.js';
import { Power, POWER_PORT_COUNT, SLEEP_TYPE_S5 } from '../../../src/devices/power.js';
import { Bench } from './conformance.js';

describe('ACPI power management', () => {
  let bench: Bench;
  let power: Power;
  const off = () => bench.trace.some((event) => event.endsWith('off'));

  function start(timerBits: 24 | 32): void {
    bench = new Bench();
    power = new Power('power', {
      clock: bench.clock,
      timers: bench.timers,
      sci: bench.line('sci'),
      onPowerOff: () => bench.note('off'),
      timerBits,
    });
    bench.map(0x600, POWER_PORT_COUNT, power.ports);
  }
  beforeEach(() => start(24));

  it('is in ACPI mode from the start', () => {
    expect(bench.read(0x604, 2)).toBe(1);
    bench.write(0x604, 0, 2);
    expect(bench.read(0x604, 2)).toBe(1);
  });

  it('switches the machine off by SLP_EN with the type of S5 only', () => {
    bench.write(0x604, SLEEP_TYPE_S5 << 10, 2);
    expect(off()).toBe(false);
    bench.write(0x604, (1 << 10) | 0x2000, 2);
    expect(off()).toBe(false);
    expect(bench.read(0x600, 2)).toBe(0x8000);
    bench.write(0x604, (SLEEP_TYPE_S5 << 10) | 0x2000, 2);
    expect(off()).toBe(true);
    expect(bench.read(0x604, 2) & 0x2000).toBe(0);
  });

  it('counts 3.579545 MHz in 24 or 32 bits, readable in any width', () => {
    bench.advance(250_000_000);
    expect(bench.read(0x608, 4)).toBe(3_579_545);
    expect(bench.read(0x608, 2)).toBe(3_579_545 & 0xffff);
    expect(bench.read(0x60a, 1)).toBe(3_579_545 >> 16);
    bench.advance(250_000_000 * 9);
    expect(bench.read(0x608, 4)).toBe(35_795_450 % 2 ** 24);
    start(32);
    bench.advance(250_000_000 * 700);
    expect(bench.read(0x608, 4)).toBe(2_505_681_500);
  });

  it('does not count as an access when it is only read', () => {
    bench.read(0x608, 4);
    expect(bench.ports.accesses).toBe(0);
    bench.write(0x602, 1, 2);
    bench.read(0x6f0, 1);
    expect(bench.ports.accesses).toBe(2);
  });

  it('raises SCI when the top bit of the timer changes, if enabled', () => {
    bench.write(0x602, 1, 2);
    bench.advance(Math.floor((2 ** 23 * 250_000_000) / 3_579_545));
    expect(bench.levels['sci']).toBe(false);
    bench.advance(1);
    expect(bench.levels['sci']).toBe(true);
    expect(bench.read(0x600, 2)).toBe(1);
    bench.write(0x600, 1, 2);
    expect(bench.levels['sci']).toBe(false);
    bench.advance(Math.ceil((2 ** 23 * 250_000_000) / 3_579_545));
    expect(bench.levels['sci']).toBe(true);
  });

  it('reports the power button through SCI until the guest acknowledges it', () => {
    power.pressPowerButton();
    expect(bench.levels['sci']).toBe(false);
    expect(bench.read(0x600, 2)).toBe(0x0100);
    bench.write(0x602, 0x0100, 2);
    expect(bench.levels['sci']).toBe(true);
    bench.write(0x600, 0x00, 1);
    expect(bench.levels['sci']).toBe(true);
    bench.write(0x601, 0x01, 1);
    expect(bench.levels['sci']).toBe(false);
    expect(bench.read(0x600, 4)).toBe(0x0100_0000);
  });
});

describe('ACPI tables', () => {
  const block = buildAcpiTables({
    address: 0xf_0000,
    pmBase: 0x600,
    serialPorts: [
      { base: 0x3f8, irq: 4 },
      { base: 0x2f8, irq: 3 },
    ],
    parallelPorts: [{ base: 0x378, irq: 7 }],
    floppy: true,
  });
  const { bytes } = block;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = (at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));
  const sum = (at: number, length: number) => bytes.subarray(at, at + length).reduce((a, b) => (a + b) & 0xff, 0);
  const offset = (address: number) => address - block.address;
  const rsdt = offset(view.getUint32(16, true));
  const fadt = offset(view.getUint32(rsdt + 36, true));
  const dsdt = offset(view.getUint32(fadt + 40, true));
  const facs = offset(view.getUint32(fadt + 36, true));

  it('start with an RSDP where operating systems search for it', () => {
    expect(block.rsdpAddress % 16).toBe(0);
    expect(text(0, 8)).toBe('RSD PTR ');
    expect(sum(0, 20)).toBe(0);
  });

  it('have exact checksums and lengths', () => {
    for (const [at, signature] of [
      [rsdt, 'RSDT'],
      [fadt, 'FACP'],
      [dsdt, 'DSDT'],
    ] as const) {
      expect(text(at, 4)).toBe(signature);
      expect(sum(at, view.getUint32(at + 4, true)), signature).toBe(0);
    }
    expect(view.getUint32(rsdt + 4, true)).toBe(40);
    expect(view.getUint32(fadt + 4, true)).toBe(244);
    expect(fadt + 244).toBe(bytes.length);
  });

  it('align the FACS to 64 bytes and keep tables apart', () => {
    expect(text(facs, 4)).toBe('FACS');
    expect((facs + block.address) % 64).toBe(0);
    expect(dsdt).toBeGreaterThanOrEqual(rsdt + 40);
    expect(fadt).toBeGreaterThanOrEqual(dsdt + view.getUint32(dsdt + 4, true));
  });

  it('describe the same registers in the 32-bit and the extended fields', () => {
    for (const [field, extended, bits] of [
      [56, 148, 32],
      [64, 172, 16],
      [76, 208, 32],
    ] as const) {
      expect(view.getUint32(fadt + field, true)).toBe(Number(view.getBigUint64(fadt + extended + 4, true)));
      expect(view.getUint8(fadt + extended)).toBe(1);
      expect(view.getUint8(fadt + extended + 1)).toBe(bits);
    }
    expect(view.getUint16(fadt + 46, true)).toBe(9);
    expect(view.getUint32(fadt + 48, true), 'no SMI command port').toBe(0);
  });

  it('name the S5 sleep type and every device in the DSDT', () => {
    const aml = [...bytes.subarray(dsdt + 36, dsdt + view.getUint32(dsdt + 4, true))];
    const code = String.fromCharCode(...aml);
    // Name (\_S5_, Package (4) {5, 5, 0, 0})
    expect(code.startsWith('\x08\\_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00')).toBe(true);
    const names = ['_PIC', '_SB_', 'RTC_', 'KBD_', 'MOU_', 'COM1', 'COM2', 'LPT1', 'FDC0'];
    for (const name of names) expect(code).toContain(name);
    // Interrupt 6, DMA channel 2.
    expect(code).toContain('\x22\x40\x00\x2a\x04\x00');
    // EISAID ("PNP0303")
    expect(code).toContain('\x0c\x41\xd0\x03\x03');
  });

  it('leave out the PS/2 controller and say so in the FADT', () => {
    const bare = buildAcpiTables({ address: 0xe_0000, pmBase: 0x600, ps2: false }).bytes;
    const code = String.fromCharCode(...bare);
    expect(code).not.toContain('KBD_');
    expect(bare[code.indexOf('FACP') + 109] & 2).toBe(0);
  });
});
