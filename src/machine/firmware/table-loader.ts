/**
 * Hands ACPI tables to firmware that decides itself where they will lie: QEMU's linker-loader script, in fw_cfg as
 * `etc/table-loader`. QEMU documentation, docs/specs/fw_cfg and hw/acpi/bios-linker-loader's command layout.
 */
import { ByteWriter } from '../../base/bytes.js';
import { utf8Decode, utf8Encode } from '../../base/platform.js';
import type { AcpiBlock } from '../../devices/acpi-tables.js';

const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_FSEG = 2;
const TABLE_ALIGNMENT = 64;
const RSDP_ALIGNMENT = 16;

const TABLES = 'etc/acpi/tables';
const RSDP = 'etc/acpi/rsdp';

/** Header of a table (ACPI 5.2.6). */
const LENGTH_AT = 4;
const CHECKSUM_AT = 9;
const HEADER_BYTES = 36;
/** Pointers within the FADT (5.2.9): FACS, DSDT, X_FACS, X_DSDT. */
const FADT_POINTERS = [
  { at: 36, bytes: 4 },
  { at: 40, bytes: 4 },
  { at: 132, bytes: 8 },
  { at: 140, bytes: 8 },
];
const RSDP_V1_BYTES = 20;
const RSDP_POINTER_AT = 16;
const RSDP_CHECKSUM_AT = 8;

function fixed(name: string): Uint8Array {
  const bytes = new Uint8Array(NAME_BYTES);
  bytes.set(utf8Encode(name));
  return bytes;
}

class Script {
  readonly #out = new ByteWriter();

  #command(write: (out: ByteWriter) => void): void {
    const one = new ByteWriter();
    write(one);
    const bytes = one.finish();
    this.#out.raw(bytes).raw(new Uint8Array(COMMAND_BYTES - bytes.length));
  }
  allocate(file: string, alignment: number, zone: number): void {
    this.#command((out) => out.u32(ALLOCATE).raw(fixed(file)).u32(alignment).u8(zone));
  }
  /** Adds where `target` lies to the pointer at `at` in `file`. */
  addPointer(file: string, target: string, at: number, bytes: number): void {
    this.#command((out) => out.u32(ADD_POINTER).raw(fixed(file)).raw(fixed(target)).u32(at).u8(bytes));
  }
  addChecksum(file: string, at: number, start: number, length: number): void {
    this.#command((out) => out.u32(ADD_CHECKSUM).raw(fixed(file)).u32(at).u32(start).u32(length));
  }
  finish(): Uint8Array {
    return this.#out.finish();
  }
}

/** The files that give firmware the tables of `block`, which was built for any address. */
export function tableLoaderFiles(block: AcpiBlock): Map<string, Uint8Array> {
  const bytes = block.bytes.slice();
  const view = new DataView(bytes.buffer);
  const script = new Script();
  script.allocate(RSDP, RSDP_ALIGNMENT, ZONE_FSEG);
  script.allocate(TABLES, TABLE_ALIGNMENT, ZONE_HIGH);
  const toRelative = (at: number, size: number): number | null => {
    const value = view.getUint32(at, true);
    if (value === 0) return null;
    const relative = value - block.address;
    view.setUint32(at, relative, true);
    if (size === 8) view.setUint32(at + 4, 0, true);
    script.addPointer(TABLES, TABLES, at, size);
    return relative;
  };
  const seal = (table: number): void => {
    bytes[table + CHECKSUM_AT] = 0;
    script.addChecksum(TABLES, table + CHECKSUM_AT, table, view.getUint32(table + LENGTH_AT, true));
  };
  const rsdp = block.rsdpAddress - block.address;
  const rsdt = view.getUint32(rsdp + RSDP_POINTER_AT, true) - block.address;
  const rsdtEnd = rsdt + view.getUint32(rsdt + LENGTH_AT, true);
  for (let entry = rsdt + HEADER_BYTES; entry < rsdtEnd; entry += 4) {
    const table = toRelative(entry, 4)!;
    if (utf8Decode(bytes.subarray(table, table + 4)) === 'FACP') {
      const length = view.getUint32(table + LENGTH_AT, true);
      const dsdt = view.getUint32(table + FADT_POINTERS[1].at, true) - block.address;
      for (const { at, bytes: size } of FADT_POINTERS) if (at + size <= length) toRelative(table + at, size);
      seal(dsdt);
    }
    seal(table);
  }
  seal(rsdt);

  const root = bytes.slice(rsdp, rsdp + RSDP_V1_BYTES);
  new DataView(root.buffer).setUint32(RSDP_POINTER_AT, rsdt, true);
  root[RSDP_CHECKSUM_AT] = 0;
  script.addPointer(RSDP, TABLES, RSDP_POINTER_AT, 4);
  script.addChecksum(RSDP, RSDP_CHECKSUM_AT, 0, RSDP_V1_BYTES);
  return new Map([
    [TABLES, bytes],
    [RSDP, root],
    ['etc/table-loader', script.finish()],
  ]);
}
