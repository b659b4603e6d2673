export const KIB = 1024;
export const MIB = 1024 * KIB;
/** Size of a page of guest memory, bytes. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
export const NS_PER_SECOND = 1_000_000_000;
