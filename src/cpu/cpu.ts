import type { Clock, Tick } from '../core/clock.js';
import { EXCEPTION, FLAG, STATE } from '../isa/cpu-state.js';
import type { SystemRoutine } from '../isa/semantics.js';
import type { CpuOptions } from './cpu-options.js';
import { BlockCache } from './interpreter/block-cache.js';
import { SYSTEM_NUMBERS } from './interpreter/generic-context.js';
import { JumpCache } from './interpreter/jump-cache.js';
import { GuestMemory } from './memory/guest-memory.js';
import { LAYOUT } from './memory/layout.js';
import { HOT_RUNS, RegionTier } from './region/region-tier.js';
import { PageWalker } from './memory/page-walk.js';
import { engineMemoryPages, PhysicalMemory } from './memory/physical.js';
import { Recurrence } from './recurrence.js';
import { SliceClock } from './slice-clock.js';
import { CpuStateView } from './state/cpu-state-view.js';
import { CpuSystem } from './system/cpu-system.js';
import { Breakpoints } from './system/breakpoints.js';
import { DR6 } from './system/control-bits.js';
import type { CpuEvent } from './system/deliver.js';
import { GuestFault } from './system/guest-fault.js';
import { memoryFunctions } from './system/memory-functions.js';
import { Outside } from './system/outside.js';
import { portFunctions } from './system/port-access.js';
import { SteadyPort } from './system/steady-port.js';

/** The largest slice one call of the interpreter runs; fits an i32. */
const MAX_SLICE = 0x4000_0000;
/** Interrupt shadow that holds off debug traps as well. */
const SHADOW_STACK_SWITCH = 2;
/** They read or set what changes by itself. */
const TIMED_ROUTINES: ReadonlySet<SystemRoutine> = new Set(['rdmsr', 'wrmsr', 'rdpmc']);
/** Vectors that push an error code. */
const HAS_ERROR_CODE = new Set<number>([8, 10, 11, 12, 13, 14, 17]);

/**
 * The CPU: runs instructions between ticks that its owner chooses. It owns guest memory. Timers, inputs and the decision
 * when to take an interrupt belong to the machine, except that interrupts are taken at instruction boundaries here.
 */
export class Cpu implements Clock {
  readonly memory: GuestMemory;
  readonly physical: PhysicalMemory;
  readonly state: CpuStateView;
  readonly system: CpuSystem;
  readonly nsPerTick: number;
  readonly #view: DataView;
  readonly #blocks: BlockCache;
  readonly #regions: RegionTier | null = null;
  readonly #execute: () => void;
  readonly #breakpoints: Breakpoints;
  readonly #steady: SteadyPort;
  readonly #clock: SliceClock;
  readonly #outside = new Outside();
  /** Passes over what programs do while they wait. */
  readonly recurrence: Recurrence;
  /** The slice was cut: the owner must look at events. */
  #cut = false;
  /** An exception or interrupt was delivered since the step began. */
  #delivered = false;
  /** The CPU shut itself down (triple fault). */
  shutdown = false;

  constructor(private readonly options: CpuOptions) {
    const { ramBytes, deviceBytes = 0, mmio } = options;
    const pages = engineMemoryPages(ramBytes + deviceBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.nsPerTick = options.nsPerTick;
    this.physical = new PhysicalMemory({ memory, ramBytes, deviceBytes, mmio });
    this.#view = this.physical.view;
    this.#clock = new SliceClock(this.#view);
    this.#steady = new SteadyPort(this.#view);
    this.state = new CpuStateView(memory.buffer, LAYOUT);
    const walker = new PageWalker(this.state, this.physical, {
      tableUsed: (entry, linearBase, span, bytes) => this.memory.tlb.noteTable(entry, linearBase, span, bytes),
    });
    this.memory = new GuestMemory(this.physical, walker);
    const { opcodes: _opcodes, interpreter, module } = options.code;
    const hotRuns = options.hotRuns ?? HOT_RUNS[options.tier ?? 'all'];
    const jumps = new JumpCache(this.physical);
    this.#blocks = new BlockCache({
      physical: this.physical,
      decoder: options.code.decoder(),
      handlers: interpreter.handlers,
      undefinedOpcode: interpreter.undefinedOpcode,
      tooLong: interpreter.tooLong,
      translate: (linear) => this.memory.translateCode(linear),
      devicePhysical: () => this.memory.devicePhysical,
      onUncached: () => this.#clock.endSlice(),
      hotRuns,
      onDropped: (block) => this.#regions?.blockDropped(block),
      onCleared: () => jumps.forget(),
    });
    // The instructions behind the one in flight may have changed, or those of its further iterations.
    this.memory.onCodeWritten = (host, bytes) => {
      if (this.#blocks.written(host, bytes)) this.#clock.endSlice();
    };
    this.memory.tlb.onCodeDropped = () => this.#clock.endSlice();
    this.#breakpoints = new Breakpoints(this.state);
    this.memory.onWatched = (linear, bytes, write) => {
      if (this.#breakpoints.dataAccess(linear, bytes, write)) this.cut();
    };
    this.system = new CpuSystem({
      state: this.state,
      linear: this.memory,
      physical: this.physical,
      tlb: {
        flushAll: () => this.memory.tlb.flushAll(),
        directoriesChanged: (before, after) => this.memory.tlb.directoriesChanged(before, after),
      },
      clock: this,
      cpuid: options.cpuid,
      onFerr: (level) => {
        this.#outside.touch();
        options.onFerr(level);
      },
      onApicBase: () => options.onApicBase?.(),
      onShutdown: () => {
        this.shutdown = true;
        this.cut();
      },
    });
    const instance = new WebAssembly.Instance(module, { env: { memory }, host: this.#hostFunctions() });
    this.#execute = instance.exports.run as () => void;
    if (hotRuns > 0) {
      this.#regions = new RegionTier({
        code: options.code.interpreter,
        // Whoever asks for nothing but regions wants them before the code runs.
        compiler: options.tier === 'regions' ? options.code.immediate : options.code.background,
        memory,
        view: this.#view,
        tlb: this.memory.tlb,
        blocks: this.#blocks,
        core: instance.exports,
        hotRuns,
      });
    }
    this.physical.onMmio = () => this.#outside.touch();
    this.recurrence = new Recurrence({
      isWanted: options.skipsRounds ?? true,
      cpu: this,
      outside: this.#outside,
      step: () => {
        this.#slice(this.now + 1);
        return this.#mayGoOn() && !this.#mustStep() && !this.wakeable;
      },
    });
    this.reset();
  }

  /** Power-on state of the CPU; memory keeps its contents. */
  reset(): void {
    this.system.reset();
    this.shutdown = false;
    this.restored();
  }

  /** After the state was replaced: everything derived is dropped. */
  restored(): void {
    this.memory.tlb.flushAll();
    this.#blocks.clear();
    this.state.updateModeCache();
    this.#debugRegistersChanged();
    this.state.shadowTick = this.now;
    this.recurrence.restart();
    this.cut();
  }

  // ---- time
  /** The tick of the instruction in flight, or of the boundary between instructions. */
  get now(): Tick {
    return this.#clock.now;
  }

  /** Sets the clock: restore, or time that passes without executing. Only between instructions. */
  set now(tick: Tick) {
    if (this.state.interruptShadow !== 0 && this.state.shadowTick === this.now) this.state.shadowTick = tick;
    this.#clock.now = tick;
  }

  /** Ends the running slice behind the instruction in flight. */
  cut(): void {
    if (!this.#clock.isExecuting) return;
    this.#clock.endSlice();
    this.#cut = true;
  }

  /** Ends the running slice at `tick`, or behind the instruction in flight if that is later. The owner sees that tick. */
  cutAt(tick: Tick): void {
    this.#clock.cutAt(tick);
  }

  // ---- interrupts
  /** INTR input. */
  setInterrupt(level: boolean): void {
    this.#view.setUint32(STATE.interruptPending, level ? 1 : 0, true);
    if (level && this.state.eflagsRest & FLAG.IF) this.cut();
  }

  /** NMI input: an edge. */
  raiseNmi(): void {
    this.state.nmiPending = 1;
    this.cut();
  }

  get interruptPending(): boolean {
    return this.#view.getUint32(STATE.interruptPending, true) !== 0;
  }

  /** 1 or 2 while the boundary at hand lies in an interrupt shadow. */
  get #shadow(): number {
    const shadow = this.state.interruptShadow;
    if (shadow === 0) return 0;
    if (this.state.shadowTick === this.now) return shadow;
    this.state.interruptShadow = 0;
    return 0;
  }

  /** Takes a pending NMI or external interrupt if the boundary allows it. True when one was taken. */
  takeInterrupt(): boolean {
    const { state } = this;
    if (this.shutdown || this.#shadow !== 0) return false;
    if (state.nmiPending && !state.nmiBlocked) {
      state.nmiPending = 0;
      state.nmiBlocked = 1;
      state.halted = 0;
      this.#deliver({ vector: EXCEPTION.NMI, errorCode: null, kind: 'nmi' });
      this.#reportDebug();
      return true;
    }
    if (!this.interruptPending || (state.eflagsRest & FLAG.IF) === 0) return false;
    state.halted = 0;
    this.#deliver({ vector: this.options.acknowledge(), errorCode: null, kind: 'interrupt' });
    this.#reportDebug();
    return true;
  }

  /** Something could wake a halted CPU now. */
  get wakeable(): boolean {
    const { state } = this;
    return (
      (this.interruptPending && (state.eflagsRest & FLAG.IF) !== 0) ||
      (state.nmiPending !== 0 && state.nmiBlocked === 0)
    );
  }

  get halted(): boolean {
    return this.state.halted !== 0;
  }

  /** The state for a snapshot: nothing in it depends on how the boundary was reached. */
  settle(): void {
    void this.#shadow;
  }

  /** IRQ 13 was served: the PC/AT's write to port F0h. */
  clearFerr(): void {
    this.options.onFerr(false);
  }

  // ---- execution
  /**
   * Runs until `until`, or shorter when something cut the slice (halt, shutdown, an event the owner must see). Afterwards
   * `now` says how far it came.
   */
  run(until: Tick): void {
    this.#cut = false;
    this.#clock.runEnd = until;
    this.#regions?.poll();
    while (this.#mayGoOn()) {
      if (this.#mustStep()) this.#step();
      // An interrupt that waits for the end of a shadow is due at the next boundary.
      else if (this.wakeable) this.#slice(this.now + 1);
      else if (this.now >= this.recurrence.due) this.recurrence.look(this.#clock.runEnd);
      else this.#slice(Math.min(this.#clock.runEnd, this.now + MAX_SLICE, this.recurrence.due));
      this.#reportDebug();
      if (this.wakeable) return;
    }
  }

  #mayGoOn(): boolean {
    return this.now < this.#clock.runEnd && !this.#cut && !this.halted && !this.shutdown;
  }

  #slice(end: Tick): void {
    // RF holds for one instruction; it was looked at before.
    this.state.eflagsRest &= ~FLAG.RF;
    this.#steady.forget();
    this.#clock.slice(end, this.#execute);
  }

  #mustStep(): boolean {
    return (this.state.eflagsRest & FLAG.TF) !== 0 || this.#breakpoints.armed || this.state.pendingDebug !== 0;
  }

  /** One instruction with everything that debugging adds around it (SDM 3, 17.3). */
  #step(): void {
    const { state } = this;
    if (this.#shadow !== SHADOW_STACK_SWITCH && this.#debugInterrupts()) return;
    const trapAfter = (state.eflagsRest & FLAG.TF) !== 0;
    this.#delivered = false;
    this.#slice(this.now + 1);
    if (trapAfter && !this.#delivered) state.pendingDebug |= DR6.BS;
  }

  /** #DB instead of the instruction at hand; it takes a tick like any other fault, so that a handler that runs into it ends. */
  #debugInterrupts(): boolean {
    const { state } = this;
    // What delivering an exception met after its own report: a breakpoint on its stack, a T bit.
    const left = state.pendingDebug !== 0;
    if (!left && ((state.eflagsRest & FLAG.RF) !== 0 || !this.#breakpoints.instruction())) return false;
    this.now += 1;
    if (left) this.#reportDebug();
    else this.#deliver({ vector: EXCEPTION.DB, errorCode: null, kind: 'fault', instructionBreakpoint: true });
    return true;
  }

  /** Delivers the debug trap that the last instruction or delivery caused, unless MOV SS holds it off. */
  #reportDebug(): void {
    if (this.state.pendingDebug === 0 || this.#shadow === SHADOW_STACK_SWITCH || this.shutdown) return;
    this.#deliver({ vector: EXCEPTION.DB, errorCode: null, kind: 'trap' });
  }

  #deliver(event: CpuEvent): void {
    this.#delivered = true;
    // An instruction that faults has not met its breakpoints.
    if (event.kind === 'fault' && event.vector !== EXCEPTION.DB) this.state.pendingDebug = 0;
    this.system.deliver(event);
    if (this.#breakpoints.stale) this.#debugRegistersChanged();
  }

  // ---- what the interpreter calls
  #hostFunctions(): Record<string, unknown> {
    const { memory } = this;
    return {
      ...memoryFunctions(memory, this.#blocks, this.#steady),
      hotBlock: (record: number, eip: number) => this.#regions?.hot(record, eip >>> 0),
      deliverFault: () => this.#deliverPending(),
      system: (routine: number, a: number, b: number, c: number, d: number, e: number) =>
        this.#systemRoutine(routine, a, b, c, d, e),
      ...portFunctions({
        io: this.options.io,
        system: this.system,
        memory,
        steady: this.#steady,
        outside: this.#outside,
      }),
    };
  }

  #deliverPending(): void {
    const view = this.#view;
    this.#steady.forget();
    const vector = view.getUint32(STATE.faultVector, true) & 0xff;
    view.setUint32(STATE.faultVector, 0, true);
    const errorCode = HAS_ERROR_CODE.has(vector) ? view.getUint32(STATE.faultError, true) : null;
    if (vector === EXCEPTION.PF) this.state.cr2 = view.getUint32(STATE.faultAddress, true);
    this.state.eip = view.getUint32(STATE.instructionEip, true);
    this.#deliver({ vector, errorCode, kind: 'fault' });
    this.#afterChange();
  }

  #systemRoutine(routine: number, ...args: number[]): void {
    const { state } = this;
    const name = SYSTEM_NUMBERS[routine];
    this.#steady.forget();
    if (TIMED_ROUTINES.has(name)) this.#outside.touch();
    // A shadow that an earlier instruction cast ends with this one, which may cast its own.
    state.interruptShadow = 0;
    state.eip = this.#view.getUint32(STATE.nextEip, true);
    try {
      (this.system.routines[name] as (...a: number[]) => void)(...args);
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      state.eip = this.#view.getUint32(STATE.instructionEip, true);
      if (e.vector === EXCEPTION.PF) state.cr2 = e.cr2 ?? 0;
      this.#deliver({ vector: e.vector, errorCode: e.errorCode, kind: 'fault' });
    }
    if (name === 'softwareInterrupt') {
      // The handler is not single-stepped.
      this.#delivered = true;
      state.pendingDebug &= ~DR6.BS;
    }
    if (name === 'writeDebug' || this.#breakpoints.stale) this.#debugRegistersChanged();
    this.#afterChange();
  }

  /** Mode, flags or privilege changed inside a slice: leave it if the fast path may not go on. */
  #afterChange(): void {
    const { state } = this;
    // Delivering an exception ends a shadow, and so does every routine that does not cast its own.
    if (state.interruptShadow !== 0) this.state.shadowTick = this.now + 1;
    if (state.halted || this.wakeable || this.#mustStep()) this.cut();
    else if (state.eflagsRest & FLAG.RF) this.#clock.endSlice();
  }

  #debugRegistersChanged(): void {
    this.#breakpoints.changed();
    this.memory.watch(this.#breakpoints.dataPages());
  }
}
