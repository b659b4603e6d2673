import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hash.js';
import { hostServices } from '../../src/host/services.js';
import { STORE_PAGE_BYTES } from '../../src/core/page-store.js';
import { createPc, type Pc } from '../../src/machine/pc.js';
import { EAX } from '../../src/isa/cpu-state.js';

const services = await hostServices();

function pc(): Pc {
  return createPc({
    config: {
      memoryBytes: 4 * 1024 * 1024,
      nsPerTick: 4,
      epochSeconds: 1_000_000_000,
      serialPorts: 1,
      parallelPorts: 0,
      apic: false,
      firmware: 'bios',
      hasVideoRom: false,
      romSha256: null,
      drives: [{ id: 'fda', kind: 'floppy', medium: null }],
      networkCards: [],
      bootOrder: 'cad',
      bootEntry: null,
    },
    code: services.cpuCode(),
    hashing: services.hashing,
  });
}

/** Its parts, in hexadecimal. */
function digestOf({ machine }: Pc): Record<string, string> {
  const { sections, ram } = machine.digest();
  return { ram: toHex(ram), ...Object.fromEntries([...sections].map(([name, hash]) => [name, toHex(hash)])) };
}

function differing(a: Record<string, string>, b: Record<string, string>): string[] {
  return Object.keys({ ...a, ...b }).filter((name) => a[name] !== b[name]);
}

describe('a digest', () => {
  it('is that of the state, whatever was hashed before', () => {
    const machine = pc();
    const { cpu } = machine.machine;
    digestOf(machine);
    const still = digestOf(machine);
    expect(differing(still, digestOf(machine))).toEqual([]);

    cpu.state.setGpr(EAX, 1);
    const changed = digestOf(machine);
    expect(differing(still, changed)).toEqual(['cpu']);
    cpu.state.setGpr(EAX, 0);
    expect(digestOf(machine)).toEqual(still);

    cpu.physical.write(0x1000, Uint8Array.of(1));
    expect(differing(still, digestOf(machine))).toEqual(['ram']);
    expect(digestOf(machine)).toEqual(still);
  });

  it('has what was written to page stores since the digest before', () => {
    const machine = pc();
    const store = machine.machine.stores.get('fda.pages')!;
    const still = digestOf(machine);
    const digestBehind = (write: () => void): Record<string, string> => {
      write();
      return digestOf(machine);
    };
    const page = (byte: number): Uint8Array => new Uint8Array(STORE_PAGE_BYTES).fill(byte);

    const one = digestBehind(() => store.set(3, page(1)));
    expect(differing(still, one)).toEqual(['fda.pages']);
    expect(digestOf(machine)).toEqual(still);
    expect(digestBehind(() => store.set(3, page(1)))).toEqual(one);
    const other = digestBehind(() => store.set(3, page(2)));
    const elsewhere = digestBehind(() => store.set(4, page(1)));
    const gone = digestBehind(() => store.clear());
    const digests = [still, one, other, elsewhere, gone].map((digest) => digest['fda.pages']);
    expect(new Set(digests).size).toBe(digests.length);
    expect(digestOf(machine)).toEqual(still);
  });
});
