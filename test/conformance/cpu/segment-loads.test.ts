import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MmioBus } from '../../../src/core/bus.js';
import type { Cpu } from '../../../src/cpu/cpu.js';
import { createBareCpu } from '../../../src/host/bare-cpu.js';
import { CS, DS, ES, FS, GS, SS } from '../../../src/isa/cpu-state.js';

const GDT = 0x3000;
const CODE = 0x8000;
const ENTRIES = 8;

interface Load {
  readonly segment: number;
  readonly selector: number;
  readonly low: number;
  readonly high: number;
  readonly ring: number;
  readonly limit: number;
}

/** Access byte of a descriptor: mostly present data segments. */
const accessByte = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0x93, 0xf3, 0xb3, 0x91, 0xf1, 0x97) }, fc.nat(255));
const load: fc.Arbitrary<Load> = fc
  .record({
    segment: fc.constantFrom(ES, DS, FS, GS),
    index: fc.nat(ENTRIES),
    rpl: fc.nat(3),
    isLocal: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.constant(4)),
    low: fc.oneof(fc.constant(0xffff), fc.nat(0xffff_ffff)),
    high: fc.oneof(fc.constant(0x00cf_0000), fc.nat(0xffff_ffff)),
    access: accessByte,
    ring: fc.constantFrom(0, 3),
    limit: fc.constantFrom(8 * ENTRIES - 1, 8 * ENTRIES - 8, 0x17),
  })
  .map(({ index, rpl, isLocal, access, high, ...rest }) => ({
    ...rest,
    selector: (index << 3) | isLocal | rpl,
    high: ((high & ~0xff00) | (access << 8)) >>> 0,
  }));

/** A machine about to load the segment from AX; the TLB knows nothing. */
function prepare(cpu: Cpu, { segment, selector, low, high, ring, limit }: Load): void {
  cpu.reset();
  const { state, physical } = cpu;
  state.cr0 = (state.cr0 | 1) >>> 0;
  state.cpl = ring;
  state.gdtrBase = GDT;
  state.gdtrLimit = limit;
  const descriptor = new Uint8Array(new Uint32Array([low, high]).buffer);
  for (let i = 1; i <= ENTRIES; i++) physical.write(GDT + 8 * i, descriptor);
  state.setSegment(CS, 8 | ring, 0, 0xffff_ffff, 0xc09b | (ring << 5));
  for (const s of [ES, DS, FS, GS, SS]) state.setSegment(s, 0x10 | ring, 0, 0xffff_ffff, 0xc093 | (ring << 5));
  state.setGpr(0, selector);
  state.eip = CODE;
  // MOV Sreg, EAX
  physical.write(CODE, Uint8Array.of(0x8e, 0xc0 | (segment << 3)));
  cpu.restored();
}

function loaded(cpu: Cpu): unknown {
  const { state } = cpu;
  const segments = [ES, CS, SS, DS, FS, GS].map((s) => [
    state.segSelector(s),
    state.segBase(s),
    state.segLimit(s),
    state.segAccess(s),
  ]);
  const table = [...cpu.physical.read(GDT, 8 * (ENTRIES + 1))];
  return { segments, eip: state.eip, isShutDown: cpu.shutdown, table };
}

describe('MOV to a segment register', () => {
  it('does the same whether the descriptor is in the TLB or not', () => {
    const cpu = createBareCpu({ ramBytes: 1 << 20, mmio: new MmioBus() });
    let quick = 0;
    fc.assert(
      fc.property(load, (one) => {
        prepare(cpu, one);
        cpu.run(cpu.now + 1);
        const slow = loaded(cpu);
        prepare(cpu, one);
        // The table is in the TLB now.
        cpu.memory.mapRead(GDT, 1);
        cpu.run(cpu.now + 1);
        const warm = loaded(cpu);
        expect(warm).toEqual(slow);
        if (cpu.state.eip === CODE + 2) quick++;
      }),
      { numRuns: 3000 },
    );
    expect(quick).toBeGreaterThan(300);
  });
});
