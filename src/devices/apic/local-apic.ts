/**
 * Local APIC of the one processor. Intel SDM 3A, chapter 11 (xAPIC).
 *
 * NOT implemented: x2APIC, TSC-deadline timer, SMI; INIT and start-up messages to the processor itself; suppression of
 * EOI broadcasts; a base address within RAM (RAM answers there).
 *
 * Usual address: FEE00000h, as IA32_APIC_BASE says.
 */
import type { Mapping, MmioHandler } from '../../core/bus.js';
import type { Clock } from '../../core/clock.js';
import type { Device } from '../../core/device.js';
import type { IrqLine } from '../../core/irq.js';
import type { TimerQueue } from '../../core/timers.js';
import { ApicTimer } from './apic-timer.js';
import {
  COMMAND,
  ERROR,
  LOCAL_APIC_SCHEMA,
  LVT,
  LVT_COUNT,
  LVT_LEVEL,
  LVT_MASKED,
  LVT_PERIODIC,
  LVT_WRITABLE,
  localApicAtReset,
  REG,
  SHORTHAND,
  SOFTWARE_ENABLE,
  SPURIOUS_WRITABLE,
  VERSION_VALUE,
  type LocalApicState,
} from './local-apic-registers.js';
import { DELIVERY, type ApicMessage } from './message.js';
import { addVector, hasVector, highestVector, removeVector, type VectorSet } from './vector-set.js';

const PAGE_BYTES = 0x1000;
const LOWEST_VECTOR = 16;
const BROADCAST = 0xff;
const FLAT_MODEL = 0xf;

export interface LocalApicOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  /** Where the registers are by IA32_APIC_BASE; null while it has the APIC off. */
  readonly base: () => number | null;
  /** INTR of the processor. */
  readonly onIntr: (level: boolean) => void;
  readonly onNmi: () => void;
  /** INTA cycle of the 8259s. */
  readonly acknowledgeExternal: () => number;
  /** A level-triggered interrupt ended: goes to the I/O APICs. */
  readonly onEndOfInterrupt: (vector: number) => void;
}

export class LocalApic implements Device<LocalApicState> {
  readonly kind = 'local-apic';
  readonly isInterruptController = true;
  readonly version = 1;
  readonly schema = LOCAL_APIC_SCHEMA;
  readonly state: LocalApicState = localApicAtReset();
  /** INTR of the 8259s. */
  readonly lint0: IrqLine = { set: (level) => this.#setLint('lint0', level) };
  readonly lint1: IrqLine = { set: (level) => this.#setLint('lint1', level) };
  readonly #registers: MmioHandler;
  readonly #timer: ApicTimer;
  #drivenIntr: boolean | null = null;

  constructor(
    readonly id: string,
    private readonly options: LocalApicOptions,
  ) {
    const { clock, timers } = options;
    this.#timer = new ApicTimer(
      {
        id: `${id}.timer`,
        clock,
        timers,
        isPeriodic: () => (this.state.localVectors[LVT.timer] & LVT_PERIODIC) !== 0,
        onExpired: () => this.#local(LVT.timer),
      },
      () => this.state.timer,
    );
    // Registers are aligned words. The SDM leaves other accesses open: parts are read, and not written.
    this.#registers = {
      read: (offset) => (this.#read(offset & 0xff0) >>> (8 * (offset & 3))) >>> 0,
      write: (offset, value, width) => {
        if (width === 4 && (offset & 0xf) === 0) this.#write(offset, value);
      },
    };
  }

  /** IA32_APIC_BASE was written. An APIC that is off keeps nothing. */
  baseWritten(): void {
    if (this.#isOff) this.#toPowerOn();
    this.#update();
  }

  /** For MmioBus.movable. */
  mappingAt(address: number): Mapping | undefined {
    const base = this.options.base();
    if (base === null || address < base || address >= base + PAGE_BYTES) return undefined;
    const { id: owner, isInterruptController } = this;
    return { base, count: PAGE_BYTES, owner, handler: this.#registers, isInterruptController };
  }

  get #isOff(): boolean {
    return this.options.base() === null;
  }

  /** INTA cycle: the vector that the processor takes now. */
  acknowledge(): number {
    const vector = this.#best();
    if (vector < 0) {
      if (this.#isExternal()) return this.options.acknowledgeExternal();
      return this.state.spurious & 0xff;
    }
    removeVector(this.state.request, vector);
    addVector(this.state.inService, vector);
    this.#update();
    return vector;
  }

  /** A message from an I/O APIC. True when it was for this processor, and taken. */
  receive(message: ApicMessage): boolean {
    if (this.#isOff || !this.#isAddressed(message)) return false;
    this.#deliver(message);
    return true;
  }

  reset(): void {
    this.#toPowerOn();
    this.#update();
  }

  restored(): void {
    this.#drivenIntr = null;
    this.#update();
  }

  #toPowerOn(): void {
    const { lint0, lint1 } = this.state;
    // The levels on the pins belong to their drivers.
    Object.assign(this.state, localApicAtReset(), { lint0, lint1 });
    this.#timer.update();
  }

  get #isSoftwareEnabled(): boolean {
    return (this.state.spurious & SOFTWARE_ENABLE) !== 0;
  }

  // ---- priorities (11.8.3)
  get #processorPriority(): number {
    const { taskPriority, inService } = this.state;
    const serviced = Math.max(highestVector(inService), 0) & 0xf0;
    return taskPriority >> 4 >= serviced >> 4 ? taskPriority : serviced;
  }

  /** The request that is above the processor's priority, -1 for none. */
  #best(): number {
    if (this.#isOff || !this.#isSoftwareEnabled) return -1;
    const vector = highestVector(this.state.request);
    return vector >= 0 && vector >> 4 > this.#processorPriority >> 4 ? vector : -1;
  }

  /** The 8259s' request gets through. */
  #isExternal(): boolean {
    const entry = this.state.localVectors[LVT.lint0];
    const isOpen = (entry & LVT_MASKED) === 0 && ((entry >> 8) & 7) === DELIVERY.extInt;
    return this.state.lint0 && (this.#isOff || isOpen);
  }

  #update(): void {
    const intr = this.#best() >= 0 || this.#isExternal();
    if (intr === this.#drivenIntr) return;
    this.#drivenIntr = intr;
    this.options.onIntr(intr);
  }

  // ---- deliveries
  #setLint(pin: 'lint0' | 'lint1', level: boolean): void {
    if (this.state[pin] === level) return;
    this.state[pin] = level;
    if (level) this.#local(LVT[pin]);
    this.#update();
  }

  /** An event of the local vector table. */
  #local(entry: number): void {
    const value = this.state.localVectors[entry];
    if (this.#isOff || (value & LVT_MASKED) !== 0) return;
    const hasMode = entry !== LVT.timer && entry !== LVT.error;
    const mode = hasMode ? (value >> 8) & 7 : DELIVERY.fixed;
    // Only a fixed interrupt of LINT0 and LINT1 obeys the trigger mode.
    const isLevel = mode === DELIVERY.fixed && (value & LVT_LEVEL) !== 0;
    this.#deliver({ mode, vector: value & 0xff, isLevel });
  }

  #deliver({ mode, vector, isLevel }: Pick<ApicMessage, 'mode' | 'vector' | 'isLevel'>): void {
    if (mode === DELIVERY.nmi) this.options.onNmi();
    if (mode !== DELIVERY.fixed && mode !== DELIVERY.lowest) return;
    if (vector < LOWEST_VECTOR) return this.#error(ERROR.receivedIllegalVector);
    // Disabled by software, it takes NMI and its like alone (11.4.7.2).
    if (!this.#isSoftwareEnabled) return;
    const { request, triggerMode } = this.state;
    addVector(request, vector);
    if (isLevel) addVector(triggerMode, vector);
    else removeVector(triggerMode, vector);
    this.#update();
  }

  #error(bit: number): void {
    const entry = this.state.localVectors[LVT.error];
    this.state.errorsSeen |= bit;
    if ((entry & 0xff) >= LOWEST_VECTOR) this.#local(LVT.error);
  }

  #isAddressed({ isLogical, destination }: Pick<ApicMessage, 'isLogical' | 'destination'>): boolean {
    const { apicId, logicalDestination, destinationFormat } = this.state;
    if (destination === BROADCAST) return true;
    if (!isLogical) return destination === apicId;
    const own = logicalDestination >>> 24;
    if (destinationFormat >>> 28 === FLAT_MODEL) return (destination & own) !== 0;
    const isCluster = destination >> 4 === own >> 4 || destination >> 4 === 0xf;
    return isCluster && (destination & own & 0xf) !== 0;
  }

  #command(value: number): void {
    const mode = (value >> 8) & 7;
    const vector = value & COMMAND.vector;
    const shorthand = (value >> COMMAND.shorthandShift) & 3;
    const isFixed = mode === DELIVERY.fixed || mode === DELIVERY.lowest;
    if (isFixed && vector < LOWEST_VECTOR) return this.#error(ERROR.sendIllegalVector);
    const isLogical = (value & COMMAND.logical) !== 0;
    const destination = this.state.commandHigh >>> 24;
    const isForSelf =
      shorthand === SHORTHAND.none
        ? this.#isAddressed({ isLogical, destination })
        : shorthand === SHORTHAND.self || shorthand === SHORTHAND.all;
    if (isForSelf) this.#deliver({ mode, vector, isLevel: false });
  }

  #endOfInterrupt(): void {
    const { inService, triggerMode } = this.state;
    const vector = highestVector(inService);
    if (vector < 0) return;
    removeVector(inService, vector);
    if (hasVector(triggerMode, vector)) this.options.onEndOfInterrupt(vector);
    this.#update();
  }

  // ---- registers
  #read(offset: number): number {
    const { state } = this;
    if (offset >= REG.inService && offset < REG.errorStatus) return this.#set(offset)[(offset >> 4) & 7];
    if (offset >= REG.localVectors && offset < REG.localVectors + 0x10 * LVT_COUNT) {
      return state.localVectors[(offset - REG.localVectors) >> 4];
    }
    switch (offset) {
      case REG.id:
        return (state.apicId << 24) >>> 0;
      case REG.version:
        return VERSION_VALUE;
      case REG.taskPriority:
        return state.taskPriority;
      case REG.arbitrationPriority:
      case REG.processorPriority:
        return this.#processorPriority;
      case REG.logicalDestination:
        return state.logicalDestination;
      case REG.destinationFormat:
        return state.destinationFormat;
      case REG.spurious:
        return state.spurious;
      case REG.errorStatus:
        return state.errorStatus;
      case REG.commandLow:
        return state.commandLow;
      case REG.commandHigh:
        return state.commandHigh;
      case REG.initialCount:
        return state.timer.initialCount;
      case REG.currentCount:
        return this.#timer.count;
      case REG.divide:
        return state.timer.divide;
      case REG.endOfInterrupt:
        return 0;
      default:
        this.#error(ERROR.illegalRegister);
        return 0;
    }
  }

  #set(offset: number): VectorSet {
    if (offset < REG.triggerMode) return this.state.inService;
    return offset < REG.request ? this.state.triggerMode : this.state.request;
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    if (offset >= REG.localVectors && offset < REG.localVectors + 0x10 * LVT_COUNT) {
      this.#writeLocalVector((offset - REG.localVectors) >> 4, value);
      return;
    }
    switch (offset) {
      case REG.endOfInterrupt:
        return this.#endOfInterrupt();
      case REG.id:
        state.apicId = value >>> 24;
        break;
      case REG.taskPriority:
        state.taskPriority = value & 0xff;
        break;
      case REG.logicalDestination:
        state.logicalDestination = (value & 0xff00_0000) >>> 0;
        break;
      case REG.destinationFormat:
        state.destinationFormat = (value | 0x0fff_ffff) >>> 0;
        break;
      case REG.spurious:
        this.#writeSpurious(value);
        break;
      case REG.errorStatus:
        state.errorStatus = state.errorsSeen;
        state.errorsSeen = 0;
        break;
      case REG.commandHigh:
        state.commandHigh = (value & 0xff00_0000) >>> 0;
        break;
      case REG.commandLow:
        state.commandLow = (value & COMMAND.writable) >>> 0;
        this.#command(value);
        break;
      case REG.initialCount:
        this.#timer.setInitialCount(value);
        break;
      case REG.divide:
        this.#timer.setDivide(value);
        break;
    }
    this.#update();
  }

  /** While the APIC is disabled by software, all entries are masked (11.4.7.2). */
  #writeSpurious(value: number): void {
    this.state.spurious = value & SPURIOUS_WRITABLE;
    if (this.#isSoftwareEnabled) return;
    this.state.localVectors = this.state.localVectors.map((entry) => (entry | LVT_MASKED) >>> 0);
  }

  #writeLocalVector(entry: number, value: number): void {
    const forced = this.#isSoftwareEnabled ? 0 : LVT_MASKED;
    const before = this.state.localVectors[entry];
    this.state.localVectors[entry] = ((value & LVT_WRITABLE[entry]) | forced) >>> 0;
    if (entry === LVT.timer && ((before ^ value) & LVT_PERIODIC) !== 0) this.#timer.update();
    this.#update();
  }
}
