import { describe, expect, it } from 'vitest';
import { utf8Encode } from '../../../src/base/platform.js';
import { buildAcpiTables } from '../../../src/devices/acpi-tables.js';
import { FW_CFG_PORT_COUNT, FwCfg } from '../../../src/devices/fw-cfg.js';
import { tableLoaderFiles } from '../../../src/machine/firmware/table-loader.js';
import { deviceConformance } from './conformance.js';

const ITEMS = new Map([[0, utf8Encode('QEMU')]]);
const FILES = new Map([
  ['opt/b', Uint8Array.of(4, 5)],
  ['etc/a', Uint8Array.of(1, 2, 3)],
]);

function filled(): FwCfg {
  const device = new FwCfg('fw-cfg');
  device.fill(ITEMS, FILES);
  return device;
}

function readItem({ ports }: FwCfg, selector: number, count: number): number[] {
  ports.write(0, selector, 2);
  return Array.from({ length: count }, () => ports.read(1, 1));
}

describe('fw_cfg', () => {
  it('gives an item byte by byte and zeros behind it', () => {
    expect(readItem(filled(), 0, 6)).toEqual([0x51, 0x45, 0x4d, 0x55, 0, 0]);
    expect(readItem(filled(), 0x1234, 2)).toEqual([0, 0]);
  });

  it('lists its files by name, big-endian', () => {
    const device = filled();
    const directory = readItem(device, 0x19, 4 + 2 * 64);
    expect(directory.slice(0, 12)).toEqual([0, 0, 0, 2, 0, 0, 0, 3, 0, 0x20, 0, 0]);
    expect(String.fromCharCode(...directory.slice(12, 18))).toBe('etc/a\0');
    expect(readItem(device, 0x20, 3)).toEqual([1, 2, 3]);
    expect(readItem(device, 0x21, 3)).toEqual([4, 5, 0]);
  });
});

/** Does what firmware does with the script: allocates, adds addresses, makes checksums. */
function runScript(files: Map<string, Uint8Array>, addresses: Map<string, number>): void {
  const script = files.get('etc/table-loader')!;
  const name = (at: number): string => String.fromCharCode(...script.subarray(at, script.indexOf(0, at)));
  const view = new DataView(script.buffer, script.byteOffset);
  for (let at = 0; at < script.length; at += 128) {
    const command = view.getUint32(at, true);
    const file = files.get(name(at + 4))!;
    const target = new DataView(file.buffer, file.byteOffset);
    if (command === 2) {
      const offset = view.getUint32(at + 116, true);
      target.setUint32(offset, target.getUint32(offset, true) + addresses.get(name(at + 60))!, true);
    } else if (command === 3) {
      const [result, start, length] = [60, 64, 68].map((o) => view.getUint32(at + o, true));
      file[result] = 0;
      file[result] = -file.subarray(start, start + length).reduce((sum, byte) => sum + byte, 0);
    }
  }
}

describe('the table loader', () => {
  it('makes of tables for one address the tables for another', () => {
    const options = { pmBase: 0x600 };
    const files = tableLoaderFiles(buildAcpiTables({ ...options, address: 0xe0000 }));
    const at = 0x7ff_0000;
    runScript(
      files,
      new Map([
        ['etc/acpi/tables', at],
        ['etc/acpi/rsdp', 0xf5000],
      ]),
    );
    const expected = buildAcpiTables({ ...options, address: at });
    const tables = files.get('etc/acpi/tables')!;
    const rsdp = expected.bytes.slice(0, 20);
    expect(files.get('etc/acpi/rsdp')).toEqual(rsdp);
    expect(tables.subarray(64)).toEqual(expected.bytes.subarray(64));
  });
});

deviceConformance('fw_cfg', {
  make: (bench) => {
    const device = filled();
    bench.map(0x510, FW_CFG_PORT_COUNT, device.ports);
    return device;
  },
  mutate: (bench) => {
    bench.write(0x510, 0x19, 2);
    bench.read(0x511);
  },
});
