/**
 * QEMU's firmware configuration device: numbered items and named files that firmware reads byte by byte. QEMU
 * documentation, docs/specs/fw_cfg.
 *
 * NOT implemented: DMA (the features item says so), writing.
 *
 * Usual ports: 510h-511h.
 */
import type { ByteReader, ByteWriter } from '../base/bytes.js';
import { ByteWriter as Writer } from '../base/bytes.js';
import { utf8Encode } from '../base/platform.js';
import type { PortHandler } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { u16, u32, type Codec, type StateSchema } from '../core/state.js';

/** Ports of the block. */
export const FW_CFG_PORT_COUNT = 2;

/** Selectors of items without a name. */
export const FW_CFG_ITEM = {
  signature: 0x0000,
  features: 0x0001,
  uuid: 0x0002,
  ramBytes: 0x0003,
  noGraphic: 0x0004,
  cpus: 0x0005,
  machineId: 0x0006,
  numa: 0x000d,
  bootMenu: 0x000e,
  maxCpus: 0x000f,
  fileDirectory: 0x0019,
} as const;
const FIRST_FILE = 0x0020;
/** Write and architecture bits of a selector; items of both kinds are told apart by their numbers. */
const SELECTOR_MASK = 0xbfff;
const FILE_NAME_BYTES = 56;

const itemsCodec: Codec<Map<number, Uint8Array>> = {
  write(out: ByteWriter, items) {
    out.u32(items.size);
    for (const [selector, bytes] of [...items].sort(([a], [b]) => a - b)) out.u16(selector).blob(bytes);
  },
  read(input: ByteReader) {
    const items = new Map<number, Uint8Array>();
    for (let left = input.u32(); left > 0; left--) {
      const selector = input.u16();
      items.set(selector, input.blob().slice());
    }
    return items;
  },
};

export interface FwCfgState {
  selector: number;
  /** Next byte of the selected item. */
  position: number;
  items: Map<number, Uint8Array>;
}

export class FwCfg implements Device<FwCfgState> {
  readonly kind = 'fw-cfg';
  readonly version = 1;
  readonly schema: StateSchema<FwCfgState> = { selector: u16, position: u32, items: itemsCodec };
  readonly state: FwCfgState = { selector: 0, position: 0, items: new Map() };
  /** FW_CFG_PORT_COUNT ports: selector, data. */
  readonly ports: PortHandler;

  constructor(readonly id: string) {
    this.ports = {
      read: (offset, width) => {
        let value = 0;
        for (let i = 0; i < width; i++) value |= (offset + i === 1 ? this.#next() : 0) << (8 * i);
        return value >>> 0;
      },
      write: (offset, value, width) => {
        if (offset !== 0) return;
        const { state } = this;
        state.selector = width === 1 ? (state.selector & 0xff00) | value : value & 0xffff;
        state.position = 0;
      },
    };
  }

  /** What firmware is told stays. */
  reset(): void {
    Object.assign(this.state, { selector: 0, position: 0 });
  }

  /** Sets what a machine tells its firmware: items by selector, files by name. */
  fill(items: ReadonlyMap<number, Uint8Array>, files: ReadonlyMap<string, Uint8Array>): void {
    const all = new Map(items);
    const directory = new Writer();
    const bigEndian32 = (n: number): Uint8Array => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
    directory.raw(bigEndian32(files.size));
    let selector = FIRST_FILE;
    for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const padded = new Uint8Array(FILE_NAME_BYTES);
      padded.set(utf8Encode(name).subarray(0, FILE_NAME_BYTES - 1));
      directory
        .raw(bigEndian32(bytes.length))
        .u8(selector >>> 8)
        .u8(selector & 0xff)
        .u16(0)
        .raw(padded);
      all.set(selector++, bytes);
    }
    all.set(FW_CFG_ITEM.fileDirectory, directory.finish());
    this.state.items = all;
  }

  #next(): number {
    const { state } = this;
    return state.items.get(state.selector & SELECTOR_MASK)?.[state.position++] ?? 0;
  }
}
