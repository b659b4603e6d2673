/** State of the 82077AA. */
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

export interface FdcState {
  dor: number;
  tdr: number;
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
  /** Without DMA: bytes of the present sector, and how many have gone through the FIFO. */
  buffer: Uint8Array;
  position: number;
  st1: number;
  st2: number;
  /** By unit: where the head is. */
  tracks: Uint8Array;
  /** By unit: ST0 of a finished seek that has not been sensed, 0 for none. */
  sensed: Uint8Array;
  /** By drive: the change of media that DIR has shown as taken in, low byte. */
  seenChanges: Uint8Array;
  /** By drive: the disk change line is active. */
  changed: Uint8Array;
  specify: Uint8Array;
  configure: Uint8Array;
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
  buffer: bytes,
  position: u16,
  st1: u8,
  st2: u8,
  tracks: fixedBytes,
  sensed: fixedBytes,
  seenChanges: fixedBytes,
  changed: fixedBytes,
  specify: fixedBytes,
  configure: fixedBytes,
  perpendicular: u8,
  locked: bool,
  irq: bool,
};

export function newFdcState(): FdcState {
  return {
    dor: DOR_NOT_RESET | DOR_DMA_GATE,
    tdr: 0,
    dsr: 2,
    command: EMPTY,
    result: EMPTY,
    executing: false,
    cylinder: 0,
    head: 0,
    sector: 0,
    buffer: EMPTY,
    position: 0,
    st1: 0,
    st2: 0,
    tracks: new Uint8Array(UNITS),
    sensed: new Uint8Array(UNITS),
    seenChanges: new Uint8Array(DRIVES),
    changed: Uint8Array.of(1, 1),
    specify: Uint8Array.from(DEFAULT_SPECIFY),
    configure: Uint8Array.from(DEFAULT_CONFIGURE),
    perpendicular: 0,
    locked: false,
    irq: false,
  };
}
