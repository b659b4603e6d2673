/** What a BIOS from a file is told about the machine, through fw_cfg: as SeaBIOS expects it of QEMU's `pc`. */
import { ByteWriter } from '../../base/bytes.js';
import { utf8Encode } from '../../base/platform.js';
import type { AcpiBlock } from '../../devices/acpi-tables.js';
import { FW_CFG_ITEM, type FwCfg } from '../../devices/fw-cfg.js';
import { E820_RAM, ramEnd } from '../loaders/e820.js';
import { tableLoaderFiles } from './table-loader.js';

export interface BiosInformation {
  readonly ramSizeBytes: number;
  /** Built for any address; null without ACPI. */
  readonly acpi: AcpiBlock | null;
  /** Further files. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

const word = (n: number): Uint8Array => Uint8Array.of(n, n >>> 8);

/** RAM as `etc/e820` has it: without what firmware itself takes away. */
function e820(ramSizeBytes: number): Uint8Array {
  const out = new ByteWriter();
  out
    .u64(0n)
    .u64(BigInt(ramEnd(ramSizeBytes)))
    .u32(E820_RAM);
  return out.finish();
}

/** Fills fw_cfg. */
export function describeMachine(fwCfg: FwCfg, { ramSizeBytes, acpi, files = new Map() }: BiosInformation): void {
  const items = new Map<number, Uint8Array>([
    [FW_CFG_ITEM.signature, utf8Encode('QEMU')],
    [FW_CFG_ITEM.features, Uint8Array.of(1, 0, 0, 0)],
    [FW_CFG_ITEM.uuid, new Uint8Array(16)],
    [FW_CFG_ITEM.ramBytes, new ByteWriter().u64(BigInt(ramSizeBytes)).finish()],
    [FW_CFG_ITEM.noGraphic, word(0)],
    [FW_CFG_ITEM.cpus, word(1)],
    [FW_CFG_ITEM.numa, new ByteWriter().u64(0n).u64(0n).finish()],
    [FW_CFG_ITEM.bootMenu, word(0)],
    [FW_CFG_ITEM.maxCpus, word(1)],
  ]);
  fwCfg.fill(
    items,
    new Map([['etc/e820', e820(ramSizeBytes)], ...(acpi === null ? [] : tableLoaderFiles(acpi)), ...files]),
  );
}
