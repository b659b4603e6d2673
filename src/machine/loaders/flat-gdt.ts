import { ByteWriter } from '../../base/bytes.js';

/** Linux calls them __BOOT_CS and __BOOT_DS. */
export const FLAT_CODE_SELECTOR = 0x10;
export const FLAT_DATA_SELECTOR = 0x18;

/** Descriptors of 4 GiB from 0, ring 0, accessed (Intel SDM 3A, 3.4.5): execute/read and read/write. */
const FLAT_CODE = 0x00cf_9b00_0000_ffffn;
const FLAT_DATA = 0x00cf_9300_0000_ffffn;

/** A GDT with the two flat segments. */
export function flatGdt(): Uint8Array {
  return new ByteWriter().u64(0n).u64(0n).u64(FLAT_CODE).u64(FLAT_DATA).finish();
}
