/** State of the 82077AA and of the drives at it. */
import { bool, bytes, fixedBytes, u16, u8, type StateSchema } from '../core/state.js';

export const DRIVES = 2;
/** Drives that commands can name. */
export const UNITS = 4;
export const EMPTY = new Uint8Array(0);
/** FIFO off, polling on, no implied seek, threshold 1. */
export const DEFAULT_CONFIGURE = [0x00, 0x20, 0x00];
export const DEFAULT_SPECIFY = [0xdf, 0x02];
export const DOR_NOT_RESET = 0x04;
export const DOR_DMA_GATE = 0x08;
/** Bits for every sector of the largest diskette, 2.88 MB. */
export const MARK_BYTES = 5760 / 8;

export interface FdcState {
  dor: number;
  tdr: number;
  /** Bits 0-1: the data rate, which the configuration control register sets as well. */
  dsr: number;
  /** Bytes of the command so far, or of the command that is being executed. */
  command: Uint8Array;
  /** Bytes of a result that the CPU has not read. */
  result: Uint8Array;
  /** A command is being executed. */
  executing: boolean;
  /** Where the transfer is: cylinder, head, sector. */
  cylinder: number;
  head: number;
  sector: number;
  /** Sectors that FORMAT, READ TRACK and VERIFY have done. */
  done: number;
  /** A sector that is the last whatever was programmed: its mark was the wrong one. */
  isLast: boolean;
  /** Without DMA: what goes through the FIFO for the present sector, and how many bytes have. */
  buffer: Uint8Array;
  position: number;
  st1: number;
  st2: number;
  /** Last sector, or sectors of a track, of the last command that named it. */
  lastSector: number;
  /** By unit: the track that the controller believes the head is over. */
  cylinders: Uint8Array;
  /** By unit: the track where the head is. */
  tracks: Uint8Array;
  /** By unit: ST0 of a seek that is under way. */
  arriving: Uint8Array;
  /** By unit: ST0 of a finished seek that has not been sensed, 0 for none. */
  sensed: Uint8Array;
  /** By drive: the change of media that it has noticed, low byte. */
  seenChanges: Uint8Array;
  /** By drive: the disk change line is active. */
  changed: Uint8Array;
  /** By drive, MARK_BYTES each: a bit for each sector of the medium that has a deleted data mark. */
  marks: Uint8Array;
  specify: Uint8Array;
  configure: Uint8Array;
  /** PERPENDICULAR MODE: drives in bits 2-5, GAP and WGATE. */
  perpendicular: number;
  locked: boolean;
  irq: boolean;
}

export const FDC_SCHEMA: StateSchema<FdcState> = {
  dor: u8,
  tdr: u8,
  dsr: u8,
  command: bytes,
  result: bytes,
  executing: bool,
  cylinder: u8,
  head: u8,
  sector: u8,
  done: u16,
  isLast: bool,
  buffer: bytes,
  position: u16,
  st1: u8,
  st2: u8,
  lastSector: u8,
  cylinders: fixedBytes,
  tracks: fixedBytes,
  arriving: fixedBytes,
  sensed: fixedBytes,
  seenChanges: fixedBytes,
  changed: fixedBytes,
  marks: fixedBytes,
  specify: fixedBytes,
  configure: fixedBytes,
  perpendicular: u8,
  locked: bool,
  irq: bool,
};

export function newFdcState(rate: number): FdcState {
  return {
    dor: DOR_NOT_RESET | DOR_DMA_GATE,
    tdr: 0,
    dsr: rate,
    command: EMPTY,
    result: EMPTY,
    executing: false,
    cylinder: 0,
    head: 0,
    sector: 0,
    done: 0,
    isLast: false,
    buffer: EMPTY,
    position: 0,
    st1: 0,
    st2: 0,
    lastSector: 0,
    cylinders: new Uint8Array(UNITS),
    tracks: new Uint8Array(UNITS),
    arriving: new Uint8Array(UNITS),
    sensed: new Uint8Array(UNITS),
    seenChanges: new Uint8Array(DRIVES),
    changed: Uint8Array.of(1, 1),
    marks: new Uint8Array(DRIVES * MARK_BYTES),
    specify: Uint8Array.from(DEFAULT_SPECIFY),
    configure: Uint8Array.from(DEFAULT_CONFIGURE),
    perpendicular: 0,
    locked: false,
    irq: false,
  };
}

/** After a reset by hardware. Media stay, and what the drives know of them; heads are where firmware leaves them. */
export function resetFdcState(state: FdcState, rate: number): void {
  const fresh = newFdcState(rate);
  for (const field of ['cylinders', 'tracks', 'arriving', 'sensed', 'specify', 'configure'] as const) {
    state[field].set(fresh[field]);
    fresh[field] = state[field];
  }
  for (const field of ['seenChanges', 'changed', 'marks'] as const) fresh[field] = state[field];
  Object.assign(state, fresh);
}
