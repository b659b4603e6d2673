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

/** Bits of a command's first byte, where the command has them. */
export const MULTI_TRACK = 0x80;
export const SKIP = 0x20;
/** SEEK moves by a number of tracks; inwards, to higher ones. */
export const RELATIVE = 0x80;
export const INWARDS = 0x40;
/** LOCK sets the lock. */
export const LOCK_SET = 0x80;

const ALL = 0xff;
const WITHOUT_MT = 0x9f;
const WITHOUT_SK = 0x3f;
const MFM_ONLY = 0xbf;
const OPCODE = 0x1f;

/** By opcode: which bits of the first byte must be as the opcode has them, and bytes of the command. */
const COMMANDS: ReadonlyMap<number, readonly [mask: number, length: number]> = new Map([
  [FDC.READ_TRACK, [WITHOUT_MT, 9]],
  [FDC.SPECIFY, [ALL, 3]],
  [FDC.SENSE_DRIVE, [ALL, 2]],
  [FDC.WRITE_DATA, [WITHOUT_SK, 9]],
  [FDC.READ_DATA, [OPCODE, 9]],
  [FDC.RECALIBRATE, [ALL, 2]],
  [FDC.SENSE_INTERRUPT, [ALL, 1]],
  [FDC.WRITE_DELETED, [WITHOUT_SK, 9]],
  [FDC.READ_ID, [MFM_ONLY, 2]],
  [FDC.READ_DELETED, [OPCODE, 9]],
  [FDC.FORMAT, [MFM_ONLY, 6]],
  [FDC.DUMP_REGISTERS, [ALL, 1]],
  [FDC.SEEK, [ALL & ~(RELATIVE | INWARDS), 3]],
  [FDC.VERSION, [ALL, 1]],
  [FDC.SCAN_EQUAL, [OPCODE, 9]],
  [FDC.PERPENDICULAR, [ALL, 2]],
  [FDC.CONFIGURE, [ALL, 4]],
  [FDC.LOCK, [ALL & ~LOCK_SET, 1]],
  [FDC.VERIFY, [OPCODE, 9]],
  [FDC.PART_ID, [ALL, 1]],
  [FDC.SCAN_LOW_OR_EQUAL, [OPCODE, 9]],
  [FDC.SCAN_HIGH_OR_EQUAL, [OPCODE, 9]],
]);

/** Bytes of the command that begins with `first`; 0 for one that does not exist. */
export function lengthOfCommand(first: number): number {
  const opcode = first & OPCODE;
  const [mask, length] = COMMANDS.get(opcode) ?? [0, 0];
  const isInwards = opcode === FDC.SEEK && (first & (RELATIVE | INWARDS)) === INWARDS;
  return (first & mask) === opcode && !isInwards ? length : 0;
}

/** What moves during the execution of a command. */
export const TO_CPU: readonly number[] = [FDC.READ_DATA, FDC.READ_DELETED, FDC.READ_TRACK];
export const WRITES: readonly number[] = [FDC.WRITE_DATA, FDC.WRITE_DELETED];
export const SCANS: readonly number[] = [FDC.SCAN_EQUAL, FDC.SCAN_LOW_OR_EQUAL, FDC.SCAN_HIGH_OR_EQUAL];

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
export const ST2 = {
  SCAN_NOT_SATISFIED: 0x04,
  SCAN_EQUAL: 0x08,
  WRONG_CYLINDER: 0x10,
  /** A sector's data mark is the other kind. */
  CONTROL_MARK: 0x40,
} as const;
export const ST3 = { HEAD: 0x04, TWO_SIDED: 0x08, TRACK_0: 0x10, READY: 0x20, WRITE_PROTECTED: 0x40 } as const;

/** CONFIGURE, second byte: reads and writes seek by themselves. */
export const IMPLIED_SEEK = 0x40;
/** SPECIFY, second byte: the CPU moves the data. */
export const NON_DMA = 0x01;
/** VERIFY, second byte: the last one counts sectors. */
export const ENABLE_COUNT = 0x80;
/** PERPENDICULAR: the drives' bits are meant, too. */
export const OVERWRITE = 0x80;
