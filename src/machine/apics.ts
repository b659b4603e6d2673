/** How the board's interrupts reach the APICs: one rule for the wiring and for the tables that tell guests of it. */
import type { TimerQueue } from '../core/timers.js';
import type { Cpu } from '../cpu/cpu.js';
import { IoApic } from '../devices/apic/io-apic.js';
import { LocalApic } from '../devices/apic/local-apic.js';
import type { Pic } from '../devices/pic.js';

const TIMER_IRQ = 0;
/** The 8254 has the pin that the cascade would have. */
const TIMER_PIN = 2;

/** I/O APIC pin of ISA interrupt `irq`. */
export function isaPin(irq: number): number {
  return irq === TIMER_IRQ ? TIMER_PIN : irq;
}

export interface Apics {
  readonly local: LocalApic;
  readonly io: IoApic;
}

export interface ApicParts {
  readonly cpu: Cpu;
  readonly timers: TimerQueue;
  readonly pic: Pic;
}

/** The 8259s' INTR is the local APIC's LINT0: what it decides is the processor's. */
export function createApics({ cpu, timers, pic }: ApicParts): Apics {
  const local: LocalApic = new LocalApic('local-apic', {
    clock: cpu,
    timers,
    base: () => cpu.state.localApicBase,
    onIntr: (level) => cpu.setInterrupt(level),
    onNmi: () => cpu.raiseNmi(),
    acknowledgeExternal: () => pic.acknowledge(),
    onEndOfInterrupt: (vector) => io.endOfInterrupt(vector),
  });
  const io: IoApic = new IoApic('io-apic', { send: (message) => local.receive(message) });
  return { local, io };
}
