/** Registers and state of the local APIC. Intel SDM 3A, chapter 11. */
import { bool, list, record, u32, u8, type StateSchema } from '../../core/state.js';
import { APIC_TIMER_SCHEMA, apicTimerAtReset, type ApicTimerState } from './apic-timer.js';
import { DELIVERY } from './message.js';
import { emptyVectorSet, type VectorSet } from './vector-set.js';

export const LOCAL_APIC_BASE = 0xfee0_0000;

/** Registers, by offset (table 11-1). */
export const REG = {
  id: 0x020,
  version: 0x030,
  taskPriority: 0x080,
  arbitrationPriority: 0x090,
  processorPriority: 0x0a0,
  endOfInterrupt: 0x0b0,
  logicalDestination: 0x0d0,
  destinationFormat: 0x0e0,
  spurious: 0x0f0,
  inService: 0x100,
  triggerMode: 0x180,
  request: 0x200,
  errorStatus: 0x280,
  commandLow: 0x300,
  commandHigh: 0x310,
  localVectors: 0x320,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
} as const;

/** Entries of the local vector table, in the order of their registers. */
export const LVT = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
export const LVT_COUNT = 6;
export const LVT_WRITABLE = [0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];
export const LVT_MASKED = 1 << 16;
export const LVT_LEVEL = 1 << 15;
export const LVT_PERIODIC = 1 << 17;
/** Version 14h: on the processor itself, with a local vector table of six. */
export const VERSION_VALUE = 0x14 | ((LVT_COUNT - 1) << 16);

export const SOFTWARE_ENABLE = 0x100;
export const SPURIOUS_WRITABLE = 0x3ff;
export const ERROR = { sendIllegalVector: 1 << 5, receivedIllegalVector: 1 << 6, illegalRegister: 1 << 7 } as const;
/** Interrupt command register, low half (11.6.1). */
export const COMMAND = {
  vector: 0xff,
  logical: 1 << 11,
  assert: 1 << 14,
  shorthandShift: 18,
  writable: 0xc_cfff,
} as const;
export const SHORTHAND = { none: 0, self: 1, all: 2 } as const;

export interface LocalApicState {
  apicId: number;
  taskPriority: number;
  logicalDestination: number;
  destinationFormat: number;
  /** Spurious-interrupt vector register. */
  spurious: number;
  inService: VectorSet;
  triggerMode: VectorSet;
  request: VectorSet;
  /** What ESR reads, and what it will read after the next write. */
  errorStatus: number;
  errorsSeen: number;
  commandLow: number;
  commandHigh: number;
  localVectors: number[];
  /** Levels of LINT0, which is the 8259s' INTR, and LINT1. */
  lint0: boolean;
  lint1: boolean;
  timer: ApicTimerState;
}

export const LOCAL_APIC_SCHEMA: StateSchema<LocalApicState> = {
  apicId: u8,
  taskPriority: u8,
  logicalDestination: u32,
  destinationFormat: u32,
  spurious: u32,
  inService: list(u32),
  triggerMode: list(u32),
  request: list(u32),
  errorStatus: u8,
  errorsSeen: u8,
  commandLow: u32,
  commandHigh: u32,
  localVectors: list(u32),
  lint0: bool,
  lint1: bool,
  timer: record(APIC_TIMER_SCHEMA),
};

export function localApicAtReset(): LocalApicState {
  const localVectors = new Array<number>(LVT_COUNT).fill(LVT_MASKED);
  // As firmware leaves it: the 8259s and NMI get through (virtual wire mode).
  localVectors[LVT.lint0] = DELIVERY.extInt << 8;
  localVectors[LVT.lint1] = DELIVERY.nmi << 8;
  return {
    apicId: 0,
    taskPriority: 0,
    logicalDestination: 0,
    destinationFormat: 0xffff_ffff,
    spurious: 0xff,
    inService: emptyVectorSet(),
    triggerMode: emptyVectorSet(),
    request: emptyVectorSet(),
    errorStatus: 0,
    errorsSeen: 0,
    commandLow: 0,
    commandHigh: 0,
    localVectors,
    lint0: false,
    lint1: false,
    timer: apicTimerAtReset(),
  };
}
