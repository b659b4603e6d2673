import { describe, expect, it } from 'vitest';
import { parseMachineConfig } from '../../../src/machine/config.js';
import { acpiTables, mpTable } from '../../../src/machine/firmware/tables.js';

const MIB = 1024 * 1024;
const config = (apic: boolean) =>
  parseMachineConfig(
    { memoryBytes: 16 * MIB, nsPerTick: 4, epochSeconds: 0, serialPorts: 2, romSha256: null, apic },
    'test',
  );
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const name = (bytes: Uint8Array): string => String.fromCharCode(...bytes.subarray(0, 4));

/** The tables that the RSDT points to, by signature. */
function rootTables(apic: boolean): Map<string, Uint8Array> {
  const { address, bytes, rsdpAddress } = acpiTables(config(apic));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const at = (physical: number): Uint8Array => {
    const offset = physical - address;
    return bytes.subarray(offset, offset + view.getUint32(offset + 4, true));
  };
  const rsdt = at(view.getUint32(rsdpAddress - address + 16, true));
  const entries = (rsdt.length - 36) / 4;
  const pointers = new DataView(rsdt.buffer, rsdt.byteOffset + 36);
  return new Map(
    Array.from({ length: entries }, (_, i) => at(pointers.getUint32(4 * i, true))).map((table) => [name(table), table]),
  );
}

describe('tables of the board', () => {
  it('ACPI has a MADT where there are APICs, and each table sums up to zero', () => {
    expect([...rootTables(false).keys()]).toEqual(['FACP']);
    const tables = rootTables(true);
    expect([...tables.keys()]).toEqual(['FACP', 'APIC']);
    for (const table of tables.values()) expect(sum(table)).toBe(0);
  });

  it('the MADT names the local APIC, the I/O APIC, and where the timer and the SCI arrive', () => {
    const madt = rootTables(true).get('APIC')!;
    const view = new DataView(madt.buffer, madt.byteOffset, madt.length);
    expect(view.getUint32(36, true)).toBe(0xfee0_0000);
    const entries: number[][] = [];
    for (let at = 44; at < madt.length; at += madt[at + 1]) entries.push([...madt.subarray(at, at + madt[at + 1])]);
    expect(entries).toEqual([
      [0, 8, 0, 0, 1, 0, 0, 0],
      [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
      [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
      [2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0],
      [4, 6, 0xff, 0, 0, 1],
    ]);
  });

  it('the MP table has one processor, both buses, the I/O APIC and every interrupt', () => {
    const { floatingPointer, table } = mpTable(config(true), 0xe_2000);
    expect(sum(floatingPointer)).toBe(0);
    expect(sum(table)).toBe(0);
    expect([name(floatingPointer), name(table)]).toEqual(['_MP_', 'PCMP']);
    const view = new DataView(table.buffer, table.byteOffset, table.length);
    expect(new DataView(floatingPointer.buffer).getUint32(4, true)).toBe(0xe_2000);
    expect(view.getUint16(4, true)).toBe(table.length);
    const kinds = [0, 0, 0, 0, 0];
    let at = 44;
    for (let i = 0; i < view.getUint16(34, true); i++) {
      kinds[table[at]]++;
      at += table[at] === 0 ? 20 : 8;
    }
    expect(at).toBe(table.length);
    // ISA interrupts without the cascade and the two that PCI has; four pins of 31 slots.
    expect(kinds).toEqual([1, 2, 1, 13 + 4 * 31, 2]);
  });
});
