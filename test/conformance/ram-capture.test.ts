import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MmioBus } from '../../src/core/bus.js';
import type { Cpu } from '../../src/cpu/cpu.js';
import type { Tier } from '../../src/cpu/cpu-options.js';
import { LAYOUT } from '../../src/cpu/memory/layout.js';
import type { RamCapture } from '../../src/cpu/memory/ram-capture.js';
import { createBareCpu } from '../../src/host/bare-cpu.js';
import { createHashing } from '../../src/host/hashing.js';
import { EAX, ECX, EDI } from '../../src/isa/cpu-state.js';
import { encodePages, PageDecoder } from '../../src/log/pages.js';

const RAM = 2 << 20;
const CODE = 0x1000;
const hashing = createHashing();

/** Fills RAM from EDI on with EAX, over page ends; then a store of two bytes across a page end; then again. */
const PROGRAM = '66b90030000067f366ab' + '67668907' + 'e9efff';

function machine(tier: Tier): Cpu {
  const cpu = createBareCpu({ ramBytes: RAM, mmio: new MmioBus(), tier });
  // Most of it; the rest was never written.
  for (let i = 0; i < RAM; i += 4096 * 3) {
    if (i < RAM / 4 || i > RAM / 2) cpu.physical.write(i, new Uint8Array(5000).fill(i >> 12));
  }
  cpu.physical.write(CODE, Uint8Array.from(Buffer.from(PROGRAM, 'hex')));
  cpu.state.setSegment(1, 0, 0, 0xffff_ffff, 0x93);
  for (const segment of [0, 3]) cpu.state.setSegment(segment, 0, 0, 0xffff_ffff, 0x93);
  cpu.state.eip = CODE;
  cpu.state.setGpr(EDI, 0x2000);
  cpu.state.setGpr(EAX, 0x1234_5678);
  cpu.state.setGpr(ECX, 1);
  cpu.restored();
  return cpu;
}

/** As Machine.captureRam(). */
function capture(cpu: Cpu): { ram: RamCapture; expected: Uint8Array } {
  const ram = cpu.physical.capture();
  cpu.memory.tlb.flushWrites();
  return { ram, expected: cpu.physical.u8.slice(LAYOUT.ram, LAYOUT.ram + RAM) };
}

interface Reader {
  readonly ram: RamCapture;
  readonly expected: Uint8Array;
  readonly target: Uint8Array;
  readonly decoder: PageDecoder;
  readonly blocks: Generator<Uint8Array>;
}

const act = fc.oneof(
  fc.record({ run: fc.integer({ min: 1, max: 4000 }) }),
  fc.record({ device: fc.nat(RAM - 9000), bytes: fc.integer({ min: 1, max: 9000 }) }),
  fc.record({ table: fc.nat(RAM / 4 - 1) }),
  fc.constant({ read: true }),
  fc.constant({ again: true }),
);

describe('RAM that is read while the guest goes on', () => {
  for (const tier of ['interpreter', 'regions'] as const) {
    it(`is what it was, whoever writes in between (${tier})`, () => {
      const cpu = machine(tier);
      let copied = 0;
      fc.assert(
        fc.property(fc.array(act, { minLength: 5, maxLength: 60 }), (acts) => {
          const readers: Reader[] = [];
          const begin = (): void => {
            const { ram, expected } = capture(cpu);
            const target = new Uint8Array(RAM);
            const decoder = new PageDecoder(() => ({ bytes: target }), false, 'test');
            readers.push({ ram, expected, target, decoder, blocks: encodePages(ram, hashing, false) });
          };
          begin();
          const pull = (reader: Reader): boolean => {
            const { done, value } = reader.blocks.next();
            if (done !== true) reader.decoder.apply(value);
            return done !== true;
          };
          for (const one of acts) {
            if ('run' in one) {
              cpu.run(cpu.now + one.run);
              if (cpu.state.gpr(EDI) > RAM - 0x10000) cpu.state.setGpr(EDI, 0x2000);
            } else if ('device' in one) {
              if (one.device > 0x2000) cpu.physical.write(one.device, new Uint8Array(one.bytes).fill(one.device));
            } else if ('table' in one) {
              if (one.table > 0x800) cpu.physical.write32(one.table * 4, one.table);
            } else if ('read' in one) pull(readers[0]);
            else if (readers.length < 3) begin();
          }
          for (const reader of readers) {
            copied += reader.ram.bytes;
            while (pull(reader));
            reader.decoder.end();
            expect(Buffer.compare(reader.target, reader.expected)).toBe(0);
            expect(reader.ram.bytes).toBe(0);
          }
        }),
        { numRuns: 60 },
      );
      expect(cpu.shutdown).toBe(false);
      expect(copied).toBeGreaterThan(0);
    });
  }

  it('costs nothing once nobody reads on', () => {
    const cpu = machine('interpreter');
    const { ram } = capture(cpu);
    cpu.run(cpu.now + 3000);
    expect(ram.bytes).toBeGreaterThan(0);
    ram.close();
    cpu.physical.write(0x80000, new Uint8Array(4096));
    expect(ram.bytes).toBe(0);
  });
});
