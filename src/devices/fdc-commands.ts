/** Commands and status bits of the 82077AA (datasheet, section 5). */

/** Opcodes: the lower five bits of a command's first byte. */
export const FDC = {
  READ_TRACK: 0x02,
  SPECIFY: 0x03,
  SENSE_DRIVE: 0x04,
  WRITE_DATA: 0x05,
  READ_DATA: 0x06,
  RECALIBRATE: 0x07,
  SENSE_INTERRUPT: 0x08,
  WRITE_DELETED: 0x09,
  READ_ID: 0x0a,
  READ_DELETED: 0x0c,
  FORMAT: 0x0d,
  DUMP_REGISTERS: 0x0e,
  SEEK: 0x0f,
  VERSION: 0x10,
  SCAN_EQUAL: 0x11,
  PERPENDICULAR: 0x12,
  CONFIGURE: 0x13,
  LOCK: 0x14,
  VERIFY: 0x16,
  PART_ID: 0x18,
  SCAN_LOW_OR_EQUAL: 0x19,
  SCAN_HIGH_OR_EQUAL: 0x1d,
} as const;

/** Bytes of each command with its opcode. */
const LENGTHS: Readonly<Record<number, number>> = {
  [FDC.READ_TRACK]: 9,
  [FDC.SPECIFY]: 3,
  [FDC.SENSE_DRIVE]: 2,
  [FDC.WRITE_DATA]: 9,
  [FDC.READ_DATA]: 9,
  [FDC.RECALIBRATE]: 2,
  [FDC.SENSE_INTERRUPT]: 1,
  [FDC.WRITE_DELETED]: 9,
  [FDC.READ_ID]: 2,
  [FDC.READ_DELETED]: 9,
  [FDC.FORMAT]: 6,
  [FDC.DUMP_REGISTERS]: 1,
  [FDC.SEEK]: 3,
  [FDC.VERSION]: 1,
  [FDC.SCAN_EQUAL]: 9,
  [FDC.PERPENDICULAR]: 2,
  [FDC.CONFIGURE]: 4,
  [FDC.LOCK]: 1,
  [FDC.VERIFY]: 9,
  [FDC.PART_ID]: 1,
  [FDC.SCAN_LOW_OR_EQUAL]: 9,
  [FDC.SCAN_HIGH_OR_EQUAL]: 9,
};

/** 0 for a command that does not exist. */
export function lengthOfCommand(first: number): number {
  return LENGTHS[first & 0x1f] ?? 0;
}

/** Main status register; bits 0-3: the drive is seeking. */
export const MSR = { CB: 0x10, NDM: 0x20, DIO: 0x40, RQM: 0x80 } as const;
export const ST0 = {
  EQUIPMENT_CHECK: 0x10,
  SEEK_END: 0x20,
  ABNORMAL: 0x40,
  INVALID: 0x80,
  POLLING: 0xc0,
} as const;
export const ST1 = {
  MISSING_ADDRESS_MARK: 0x01,
  NOT_WRITABLE: 0x02,
  NO_DATA: 0x04,
  OVERRUN: 0x10,
  END_OF_CYLINDER: 0x80,
} as const;
export const ST3 = { TWO_SIDED: 0x08, TRACK_0: 0x10, READY: 0x20, WRITE_PROTECTED: 0x40 } as const;
/** CONFIGURE, second byte: reads and writes seek by themselves. */
export const IMPLIED_SEEK = 0x40;
