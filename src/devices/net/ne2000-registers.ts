/** Registers of the DP8390 as a card's state, and their bits (datasheet, section 10). */
import { bool, fixedBytes, u16, u32, u8, type StateSchema } from '../../core/state.js';

export const CR = { STP: 0x01, STA: 0x02, TXP: 0x04, RD: 0x38, PAGE: 0xc0 } as const;
export const RD_READ = 0x08;
export const RD_WRITE = 0x10;
export const RD_SEND = 0x18;
export const RD_ABORT = 0x20;
export const ISR = { PRX: 0x01, PTX: 0x02, RXE: 0x04, TXE: 0x08, OVW: 0x10, CNT: 0x20, RDC: 0x40, RST: 0x80 } as const;
export const RCR = { SEP: 0x01, AR: 0x02, AB: 0x04, AM: 0x08, PRO: 0x10, MON: 0x20 } as const;
export const RSR_PRX = 0x01;
export const RSR_PHY = 0x20;
export const TSR_PTX = 0x01;
export interface Ne2000State {
  config: Uint8Array;
  command: number;
  pstart: number;
  pstop: number;
  bnry: number;
  curr: number;
  tpsr: number;
  tbcr: number;
  isr: number;
  imr: number;
  rsar: number;
  rbcr: number;
  rcr: number;
  tcr: number;
  dcr: number;
  tsr: number;
  rsr: number;
  /** Missed frames, cleared by reading. */
  missed: number;
  par: Uint8Array;
  mar: Uint8Array;
  /** MEMORY_START to MEMORY_END. */
  memory: Uint8Array;
  /** The chip is reset until the first command. */
  stopped: boolean;
  /** Of all frames sent. */
  sentHash: number;
}

export function powerOn() {
  return {
    command: CR.STP | RD_ABORT,
    pstart: 0,
    pstop: 0,
    bnry: 0,
    curr: 0,
    tpsr: 0,
    tbcr: 0,
    isr: ISR.RST,
    imr: 0,
    rsar: 0,
    rbcr: 0,
    rcr: 0,
    tcr: 0,
    dcr: 0,
    tsr: 0,
    rsr: 0,
    missed: 0,
    stopped: true,
  };
}

export const NE2000_SCHEMA: StateSchema<Ne2000State> = {
  config: fixedBytes,
  command: u8,
  pstart: u8,
  pstop: u8,
  bnry: u8,
  curr: u8,
  tpsr: u8,
  tbcr: u16,
  isr: u8,
  imr: u8,
  rsar: u16,
  rbcr: u16,
  rcr: u8,
  tcr: u8,
  dcr: u8,
  tsr: u8,
  rsr: u8,
  missed: u8,
  par: fixedBytes,
  mar: fixedBytes,
  memory: fixedBytes,
  stopped: bool,
  sentHash: u32,
};

/** Page 0; the tally of missed frames starts anew when it is read. */
export function readPage0(state: Ne2000State, offset: number): number {
  switch (offset) {
    case 1:
    case 8:
      return state.rsar & 0xff;
    case 2:
    case 9:
      return state.rsar >> 8;
    case 3:
      return state.bnry;
    case 4:
      return state.tsr;
    case 7:
      return state.isr;
    case 10:
    case 11:
      // The RTL8029 tells its name where the DP8390 has nothing.
      return offset === 10 ? 0x50 : 0x43;
    case 12:
      return state.rsr;
    case 15: {
      const { missed } = state;
      state.missed = 0;
      return missed;
    }
    default:
      return 0;
  }
}

/** Page 2: what was written to page 0 and 1, to be read. */
export function readPage2(state: Ne2000State, offset: number): number {
  const values: Readonly<Record<number, number>> = {
    1: state.pstart,
    2: state.pstop,
    4: state.tpsr,
    12: state.rcr | 0xc0,
    13: state.tcr | 0xe0,
    14: state.dcr | 0x80,
    15: state.imr | 0x80,
  };
  return values[offset] ?? 0;
}
