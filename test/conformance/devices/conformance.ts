import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, type ByteReader as Reader } from '../../../src/base/bytes.js';
import { PortBus, type PortHandler, type Width } from '../../../src/core/bus.js';
import type { Device } from '../../../src/core/device.js';
import type { IrqLine } from '../../../src/core/irq.js';
import { readState, writeState } from '../../../src/core/state.js';
import { TimerQueue } from '../../../src/core/timers.js';

/** A device alone on a bus, with a clock that the test moves. Everything the device does outwards goes into `trace`. */
export class Bench {
  readonly clock: { now: number; nsPerTick: number };
  readonly timers = new TimerQueue();
  readonly ports = new PortBus();
  readonly mapped: { base: number; count: number }[] = [];
  readonly levels: Record<string, boolean> = {};
  readonly #trace: string[] = [];

  constructor(nsPerTick = 4) {
    this.clock = { now: 0, nsPerTick };
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  map(base: number, count: number, handler: PortHandler): void {
    this.ports.map('device', base, count, handler);
    this.mapped.push({ base, count });
  }

  /** A line that remembers its level and traces its changes. */
  line(name: string): IrqLine {
    this.levels[name] ??= false;
    return {
      set: (level) => {
        if (this.levels[name] === level) return;
        this.levels[name] = level;
        this.note(`${name} ${level ? 'high' : 'low'}`);
      },
    };
  }

  note(event: string): void {
    this.#trace.push(`${this.clock.now}: ${event}`);
  }

  read(port: number, width: Width = 1): number {
    const value = this.ports.read(port, width);
    this.note(`${port.toString(16)} -> ${value.toString(16)}`);
    return value;
  }

  write(port: number, value: number, width: Width = 1): void {
    this.ports.write(port, value, width);
  }

  /** Lets time pass, firing timers at their ticks. */
  advance(ticks: number): void {
    const target = this.clock.now + ticks;
    while (this.timers.next <= target) {
      this.clock.now = Math.max(this.clock.now, this.timers.next);
      this.timers.runDue(this.clock.now);
    }
    this.clock.now = target;
  }

  advanceNs(ns: number): void {
    this.advance(Math.ceil(ns / this.clock.nsPerTick));
  }
}

export function save<S extends object>(bench: Bench, device: Device<S>): Uint8Array {
  const out = new ByteWriter();
  writeState(out, device.schema, device.state);
  bench.timers.save(out);
  return out.finish();
}

export function restore<S extends object>(bench: Bench, device: Device<S>, bytes: Uint8Array): void {
  const input: Reader = new ByteReader(bytes, 'snapshot');
  readState(input, device.schema, device.state);
  bench.timers.restore(input);
  input.end();
  device.restored?.();
}

export interface ConformanceOptions<D> {
  /** Puts the device on the bench: creates it, maps its ports, connects its lines. */
  readonly make: (bench: Bench) => D;
  /** Changes guest-visible state through ports. */
  readonly mutate: (bench: Bench, device: D) => void;
  /** What the host does to the device now and then, e.g. bytes arriving. */
  readonly stimuli?: readonly ((bench: Bench, device: D) => void)[];
  /** Port writes before the random script, so that it reaches the interesting states. */
  readonly prepare?: (bench: Bench, device: D) => void;
}

type Step<D> = (bench: Bench, device: D) => void;

/** A reproducible script of port accesses, stimuli and pauses over the ports of `bench`. */
function randomScript<D>(bench: Bench, options: ConformanceOptions<D>, seed: number, length: number): Step<D>[] {
  let x = seed;
  const below = (limit: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % limit;
  };
  const stimuli = options.stimuli ?? [];
  const steps: Step<D>[] = [];
  for (let n = 0; n < length; n++) {
    const { base, count } = bench.mapped[below(bench.mapped.length)];
    const port = base + below(count);
    const width = ([1, 1, 1, 1, 2, 4] as const)[below(6)];
    const value = below(2) ? below(0x100) : (x >>> 0) & (width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1);
    const kind = below(10);
    if (kind < 4) steps.push((b) => b.write(port, value >>> 0, width));
    else if (kind < 7) steps.push((b) => void b.read(port, width));
    else if (kind < 9 || stimuli.length === 0) {
      const ticks = [below(10), below(1000), below(50_000), below(400_000)][below(4)];
      steps.push((b) => b.advance(ticks));
    } else steps.push(stimuli[below(stimuli.length)]);
  }
  return steps;
}

/** What every device must keep, whatever it does. `kind` names it in the report. */
export function deviceConformance<D extends Device<object>>(kind: string, options: ConformanceOptions<D>): void {
  const fresh = (nsPerTick?: number) => {
    const bench = new Bench(nsPerTick);
    return { bench, device: options.make(bench) };
  };

  describe(`${kind} as a device`, () => {
    it('shows in its snapshot what a guest changed', () => {
      const { bench, device } = fresh();
      const before = save(bench, device);
      options.mutate(bench, device);
      expect(save(bench, device)).not.toEqual(before);
    });

    it('restores into a fresh device with equal bytes and equal line levels', () => {
      const { bench, device } = fresh();
      options.prepare?.(bench, device);
      options.mutate(bench, device);
      const bytes = save(bench, device);
      const copy = fresh();
      copy.bench.clock.now = bench.clock.now;
      restore(copy.bench, copy.device, bytes);
      expect(save(copy.bench, copy.device)).toEqual(bytes);
      expect(copy.bench.levels).toEqual(bench.levels);
    });

    it('returns to its power-on state by a reset, apart from what outlives one', () => {
      const { bench, device } = fresh();
      options.mutate(bench, device);
      device.reset();
      const once = save(bench, device);
      device.reset();
      expect(save(bench, device)).toEqual(once);
    });

    it('is left as it was by reads that do not count as accesses', () => {
      const { bench, device } = fresh();
      options.prepare?.(bench, device);
      const { ports } = bench;
      const read = ports.read.bind(ports);
      ports.read = (port, width) => {
        const [accesses, before] = [ports.accesses, save(bench, device)];
        const value = read(port, width);
        if (ports.accesses === accesses) expect(save(bench, device)).toEqual(before);
        return value;
      };
      for (const step of randomScript(bench, options, 99, 400)) step(bench, device);
    });

    for (const nsPerTick of [4, 1024, 3]) {
      it(`runs on after a restore as if never stopped, and survives random accesses (${nsPerTick} ns ticks)`, () => {
        for (const seed of [1, 77, 4711]) {
          const straight = fresh(nsPerTick);
          const script = randomScript(straight.bench, options, seed, 400);
          options.prepare?.(straight.bench, straight.device);
          const cuts = new Map<number, { bytes: Uint8Array; now: number; levels: object; traced: number }>();
          script.forEach((step, n) => {
            if (n % 37 === 5) {
              const { bench, device } = straight;
              const bytes = save(bench, device);
              cuts.set(n, { bytes, now: bench.clock.now, levels: { ...bench.levels }, traced: bench.trace.length });
            }
            step(straight.bench, straight.device);
          });
          const finalBytes = save(straight.bench, straight.device);
          for (const [at, cut] of cuts) {
            const { bench, device } = fresh(nsPerTick);
            bench.clock.now = cut.now;
            Object.assign(bench.levels, cut.levels);
            const tracedBefore = bench.trace.length;
            restore(bench, device, cut.bytes);
            for (const step of script.slice(at)) step(bench, device);
            expect(bench.trace.slice(tracedBefore), `cut at step ${at}, seed ${seed}`).toEqual(
              straight.bench.trace.slice(cut.traced),
            );
            expect(save(bench, device)).toEqual(finalBytes);
          }
        }
      });
    }
  });
}
