import { bool, bytes, safe, u32, u8, type StateSchema } from '../../core/state.js';

/** What a drive does next when its timer fires. */
export const STEP = {
  none: 0,
  /** Ends the command without error. */
  finish: 1,
  /** Has the next block of a PIO data-in command ready. */
  load: 2,
  /** Takes the block of a PIO data-out command that the host has written. */
  store: 3,
  /** Waits for the bus master; no timer. */
  waitForBusMaster: 4,
  /** Moves all data of a DMA command. */
  dma: 5,
  /** Executes the packet that the host has written. */
  packet: 6,
} as const;

/** Where the data of a packet command comes from. */
export const SOURCE = { reply: 0, medium: 1, rawMedium: 2 } as const;

export interface DriveState {
  status: number;
  error: number;
  features: number;
  sectorCount: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  device: number;
  /** What the registers held before they were last written. */
  hobSectorCount: number;
  hobLbaLow: number;
  hobLbaMid: number;
  hobLbaHigh: number;
  /** INTRQ is pending. */
  interrupt: boolean;
  /** The command in progress. */
  command: number;
  step: number;
  /** Sector of the medium that is transferred next, and how many are left with it. */
  lba: number;
  sectorsLeft: number;
  /** The block that is transferred by PIO, and how much of it has been. */
  buffer: Uint8Array;
  position: number;
  /** DRQ blocks of READ MULTIPLE and WRITE MULTIPLE, sectors; 0: disabled. */
  multiple: number;
  /** Translation set by INITIALIZE DEVICE PARAMETERS. */
  heads: number;
  sectorsPerTrack: number;
  /** Of SET FEATURES 03h. */
  transferMode: number;
  writeCache: boolean;
  lookAhead: boolean;
  smart: boolean;
  /** As CHECK POWER MODE answers. */
  power: number;
  // ---- packet devices
  /** Of the data of a packet command: where it comes from, its length, and what has been transferred. */
  source: number;
  /** The data itself where it does not come from the medium. */
  reply: Uint8Array;
  replyBytes: number;
  replyPosition: number;
  senseKey: number;
  senseCode: number;
  senseQualifier: number;
  /** Media that were reported to the host. */
  knownChanges: number;
  attention: boolean;
  isTrayOpen: boolean;
  isLocked: boolean;
  /** GET EVENT STATUS NOTIFICATION has something new. */
  event: number;
}

export const DRIVE_SCHEMA: StateSchema<DriveState> = {
  status: u8,
  error: u8,
  features: u8,
  sectorCount: u8,
  lbaLow: u8,
  lbaMid: u8,
  lbaHigh: u8,
  device: u8,
  hobSectorCount: u8,
  hobLbaLow: u8,
  hobLbaMid: u8,
  hobLbaHigh: u8,
  interrupt: bool,
  command: u8,
  step: u8,
  lba: safe,
  sectorsLeft: u32,
  buffer: bytes,
  position: u32,
  multiple: u8,
  heads: u32,
  sectorsPerTrack: u32,
  transferMode: u8,
  writeCache: bool,
  lookAhead: bool,
  smart: bool,
  power: u8,
  source: u8,
  reply: bytes,
  replyBytes: safe,
  replyPosition: safe,
  senseKey: u8,
  senseCode: u8,
  senseQualifier: u8,
  knownChanges: u32,
  attention: bool,
  isTrayOpen: bool,
  isLocked: bool,
  event: u8,
};

export function newDriveState(): DriveState {
  return {
    status: 0,
    error: 0,
    features: 0,
    sectorCount: 0,
    lbaLow: 0,
    lbaMid: 0,
    lbaHigh: 0,
    device: 0,
    hobSectorCount: 0,
    hobLbaLow: 0,
    hobLbaMid: 0,
    hobLbaHigh: 0,
    interrupt: false,
    command: 0,
    step: STEP.none,
    lba: 0,
    sectorsLeft: 0,
    buffer: new Uint8Array(0),
    position: 0,
    multiple: 0,
    heads: 0,
    sectorsPerTrack: 0,
    transferMode: 0,
    writeCache: true,
    lookAhead: true,
    smart: true,
    power: 0xff,
    source: SOURCE.reply,
    reply: new Uint8Array(0),
    replyBytes: 0,
    replyPosition: 0,
    senseKey: 0,
    senseCode: 0,
    senseQualifier: 0,
    knownChanges: 0,
    attention: false,
    isTrayOpen: false,
    isLocked: false,
    event: 0,
  };
}
