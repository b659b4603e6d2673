/** Registers and their bits. ATA/ATAPI-6 (T13/1410D rev 3b), chapter 7. */
export const STATUS = { ERR: 0x01, DRQ: 0x08, DSC: 0x10, DF: 0x20, DRDY: 0x40, BSY: 0x80 } as const;
export const ERROR = { ABRT: 0x04, IDNF: 0x10 } as const;
export const CONTROL = { nIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;
export const DEVICE = { DEV: 0x10, LBA: 0x40 } as const;
/** Interrupt reason of packet commands, in the sector count register (9.5). */
export const REASON = { CD: 0x01, IO: 0x02 } as const;

/** Offsets in the command block. */
export const REGISTER = {
  data: 0,
  /** Features when written. */
  error: 1,
  sectorCount: 2,
  lbaLow: 3,
  lbaMid: 4,
  lbaHigh: 5,
  device: 6,
  /** Command when written. */
  status: 7,
} as const;
