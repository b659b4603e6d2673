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
function digestOf({ machine }: Pick<Pc, 'machine'>): Record<string, string> {
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

  it('has what devices did since the digest before: at an access, an alarm or an input', () => {
    const { machine, vga } = pc();
    const { mmio } = machine.cpu.physical;
    const VIDEO = 0xa_0000;
    // Mode 12h as far as it matters: four planes at A0000h.
    vga.state.sequencer.set([0x0f, 0x00, 0x06], 2);
    vga.state.graphics.set([0x00, 0x05], 5);
    mmio.write(VIDEO, 0xff, 1);
    digestOf({ machine });
    let before = digestOf({ machine });
    const changed = (act: () => void): string[] => {
      act();
      const after = digestOf({ machine });
      const names = differing(before, after);
      before = after;
      return names;
    };
    expect(changed(() => mmio.read(VIDEO, 1))).toEqual(['vga']);
    expect(changed(() => machine.admit('serial', Uint8Array.of(0, 1, 2)))).toContain('uart0');
    expect(changed(() => machine.timers.runDue(machine.timers.next))).toContain('uart0');
    expect(changed(() => machine.requestReset())).toEqual(['machine']);
    expect(changed(() => machine.run(machine.tick + 1))).toContain('uart0');
  });
});
