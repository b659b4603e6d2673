import { beforeEach, describe, expect, it } from 'vitest';
import type { PageAccess } from '../../../src/cpu/memory/page-walk.js';
import { GuestFault } from '../../../src/cpu/system/guest-fault.js';
import { Machine } from './fixture.js';

const PG = 0x8000_0000;
const WP = 0x1_0000;
const PSE = 0x10;
const PAE = 0x20;

const access = (text: string): PageAccess => ({ write: text.includes('w'), user: text.includes('u'), fetch: false });

let machine: Machine;
beforeEach(() => {
  machine = new Machine().protect();
  machine.tables.length = 0;
});

/** Error code of the fault, with CR2 checked; null when the walk succeeds. */
function faultOf(linear: number, how: string): number | null {
  try {
    machine.walker.walk(linear, access(how));
    return null;
  } catch (e) {
    expect(e).toBeInstanceOf(GuestFault);
    const fault = e as GuestFault;
    expect([fault.vector, fault.cr2]).toEqual([14, linear]);
    return fault.errorCode;
  }
}

describe('paging off', () => {
  it('translates to the same address and touches nothing', () => {
    const found = machine.walker.walk(0xffff_fff0, access('wu'));
    expect(found.physical).toBe(0xffff_fff0);
    expect(machine.ram.writes).toEqual([]);
  });
});

/** Directory at 10000h, table at 11000h; linear 0040_1000h maps to 5000h. */
const DIRECTORY = 0x1_0000;
const TABLE = 0x1_1000;
const PDE = DIRECTORY + 4;
const PTE = TABLE + 4;
const LINEAR = 0x40_1234;

function legacy(pde = TABLE | 7, pte = 0x5007, cr0 = 0): void {
  machine.state.cr0 = (machine.state.cr0 | PG | cr0) >>> 0;
  machine.state.cr3 = DIRECTORY | 0x18;
  machine.put(PDE, [pde]);
  machine.put(PTE, [pte]);
}

describe('32-bit paging, 4 KiB pages', () => {
  it('sets accessed at both levels on a read, and not dirty', () => {
    legacy();
    const found = machine.walker.walk(LINEAR, access('ru'));
    expect(found).toEqual({ physical: 0x5234, writable: false, userAccessible: true, pageBytes: 4096 });
    expect([machine.get32(PDE), machine.get32(PTE)]).toEqual([TABLE | 0x27, 0x5027]);
  });

  it('sets dirty on a write, in the page entry only', () => {
    legacy();
    expect(machine.walker.walk(LINEAR, access('wu')).writable).toBe(true);
    expect([machine.get32(PDE), machine.get32(PTE)]).toEqual([TABLE | 0x27, 0x5067]);
  });

  it('writes no entry that has its bits already', () => {
    legacy(TABLE | 0x27, 0x5067);
    machine.walker.walk(LINEAR, access('wu'));
    expect(machine.ram.writes).toEqual([]);
  });

  it('says that a read of a dirty page needs no walk for writing', () => {
    legacy(TABLE | 0x27, 0x5067);
    expect(machine.walker.walk(LINEAR, access('ru')).writable).toBe(true);
  });

  it.each([
    ['not present directory entry, supervisor read', TABLE | 6, 0x5007, 'r', 0],
    ['not present page, user write', TABLE | 7, 0x5006, 'wu', 6],
    ['not present page, user read', TABLE | 7, 0, 'ru', 4],
    ['supervisor page read by a user', TABLE | 7, 0x5003, 'ru', 5],
    ['supervisor directory read by a user', TABLE | 3, 0x5007, 'ru', 5],
    ['read-only page written by a user', TABLE | 7, 0x5005, 'wu', 7],
    ['read-only directory written by a user', TABLE | 5, 0x5007, 'wu', 7],
  ])('faults: %s', (_, pde, pte, how, error) => {
    legacy(pde, pte);
    expect(faultOf(LINEAR, how)).toBe(error);
    expect(machine.ram.writes).toEqual([]);
  });

  it('lets the supervisor write read-only pages unless CR0.WP is set', () => {
    legacy(TABLE | 5, 0x5005);
    expect(machine.walker.walk(LINEAR, access('w')).writable).toBe(true);
    machine.state.cr0 = (machine.state.cr0 | WP) >>> 0;
    expect(faultOf(LINEAR, 'w')).toBe(3);
  });

  it('says that a page dirty for the supervisor is still not writable for users', () => {
    legacy(TABLE | 5, 0x5065);
    expect(machine.walker.walk(LINEAR, access('ru')).writable).toBe(false);
    expect(machine.walker.walk(LINEAR, access('r')).writable).toBe(true);
  });

  it('reports the entries used and what their tables translate', () => {
    legacy();
    machine.walker.walk(LINEAR, access('r'));
    expect(machine.tables).toEqual([
      [PDE, 0, 0x40_0000, 4],
      [PTE, 0x40_0000, 4096, 4],
    ]);
  });

  it('uses the last entries for the last page', () => {
    legacy();
    machine.put(DIRECTORY + 0xffc, [TABLE | 3]);
    machine.put(TABLE + 0xffc, [0x7003]);
    expect(machine.walker.walk(0xffff_ffff, access('r')).physical).toBe(0x7fff);
    expect(machine.tables[1]).toEqual([TABLE + 0xffc, 0xffc0_0000, 4096, 4]);
  });

  it('ignores the page-size bit without CR4.PSE', () => {
    legacy(TABLE | 0x87);
    expect(machine.walker.walk(LINEAR, access('r')).physical).toBe(0x5234);
  });

  it('probes without setting bits', () => {
    legacy(TABLE | 7, 0x5005, WP);
    expect(machine.walker.probe(LINEAR, true, false)).toBe(0x5234);
    expect(machine.walker.probe(LINEAR, true, true)).toBeNull();
    expect(machine.walker.probe(0x80_0000, false, false)).toBeNull();
    expect(machine.ram.writes).toEqual([]);
  });
});

describe('4 MiB pages', () => {
  beforeEach(() => {
    machine.state.cr4 = PSE;
  });

  it('set accessed and dirty in the directory entry', () => {
    legacy(0x0080_0087);
    const found = machine.walker.walk(LINEAR, access('wu'));
    expect(found).toEqual({ physical: 0x80_1234, writable: true, userAccessible: true, pageBytes: 0x40_0000 });
    expect(machine.get32(PDE)).toBe(0x0080_00e7);
    expect(machine.tables).toEqual([[PDE, 0, 0x40_0000, 4]]);
  });

  it('have 36-bit addresses', () => {
    legacy(0x0081_e087);
    expect(machine.walker.walk(LINEAR, access('r')).physical).toBe(0xf_0080_1234);
  });

  it('fault on reserved bits', () => {
    legacy(0x0080_0087 | 0x2_0000);
    expect(faultOf(LINEAR, 'r')).toBe(9);
    expect(faultOf(LINEAR, 'wu')).toBe(15);
  });

  it('ignore the PAT bit and the caching bits', () => {
    legacy(0x0080_1187 | 0x18);
    expect(machine.walker.walk(LINEAR, access('r')).physical).toBe(0x80_1234);
  });

  it('obey rights like small pages', () => {
    legacy(0x0080_0085);
    expect(faultOf(LINEAR, 'wu')).toBe(7);
    machine.put(PDE, [0x0080_0083]);
    expect(faultOf(LINEAR, 'ru')).toBe(5);
  });
});

/** Pointers at 10000h, directory 12000h, table 13000h; linear C020_1000h maps to 6000h. */
const POINTERS = 0x1_0020;
const PAE_DIRECTORY = 0x1_2000;
const PAE_TABLE = 0x1_3000;
const PAE_PDE = PAE_DIRECTORY + 8;
const PAE_PTE = PAE_TABLE + 8;
const PAE_LINEAR = 0xc020_1234;

function pae(pde: [number, number] = [PAE_TABLE | 7, 0], pte: [number, number] = [0x6007, 0]): void {
  const { state } = machine;
  state.cr4 = PAE;
  state.cr0 = (state.cr0 | PG) >>> 0;
  machine.put(POINTERS, [0, 0, 0, 0, 0, 0, PAE_DIRECTORY | 1, 0]);
  machine.put(PAE_PDE, pde);
  machine.put(PAE_PTE, pte);
  machine.run('writeControl', 3, POINTERS);
}

describe('PAE paging', () => {
  it('translates through the loaded pointers and sets accessed and dirty bits', () => {
    pae();
    const found = machine.walker.walk(PAE_LINEAR, access('wu'));
    expect(found).toEqual({ physical: 0x6234, writable: true, userAccessible: true, pageBytes: 4096 });
    expect([machine.get32(PAE_PDE), machine.get32(PAE_PTE)]).toEqual([PAE_TABLE | 0x27, 0x6067]);
    expect(machine.tables).toEqual([
      [PAE_PDE, 0xc000_0000, 0x20_0000, 8],
      [PAE_PTE, 0xc020_0000, 4096, 8],
    ]);
  });

  it('keeps using the loaded pointers when memory changes', () => {
    pae();
    machine.put(POINTERS + 24, [0, 0]);
    expect(machine.walker.walk(PAE_LINEAR, access('r')).physical).toBe(0x6234);
    machine.run('writeControl', 3, POINTERS);
    expect(faultOf(PAE_LINEAR, 'r')).toBe(0);
  });

  it('faults without the present bit in each level', () => {
    pae();
    expect(faultOf(0x1000, 'wu')).toBe(6);
    pae([PAE_TABLE | 6, 0]);
    expect(faultOf(PAE_LINEAR, 'r')).toBe(0);
    pae(undefined, [0x6006, 0]);
    expect(faultOf(PAE_LINEAR, 'w')).toBe(2);
  });

  it('has 36-bit pages', () => {
    pae(undefined, [0x6007, 0xf]);
    expect(machine.walker.walk(PAE_LINEAR, access('r')).physical).toBe(0xf_0000_6234);
  });

  it.each<[string, [number, number], [number, number]]>([
    ['above address bit 35 in the directory', [PAE_TABLE | 7, 0x10], [0x6007, 0]],
    ['above address bit 35 in the table', [PAE_TABLE | 7, 0], [0x6007, 0x10]],
    ['bit 63: there is no NX', [PAE_TABLE | 7, 0], [0x6007, 0x8000_0000]],
    ['bits 20-13 of a 2 MiB page', [0x0020_2087, 0], [0x6007, 0]],
  ])('faults on reserved bits: %s', (_, pde, pte) => {
    pae(pde, pte);
    expect(faultOf(PAE_LINEAR, 'r')).toBe(9);
    expect(machine.ram.writes).toEqual([]);
  });

  it('maps 2 MiB pages whatever CR4.PSE says', () => {
    pae([0x0060_0087, 1]);
    const found = machine.walker.walk(PAE_LINEAR, access('w'));
    expect(found).toEqual({
      physical: 0x1_0060_1234,
      writable: true,
      userAccessible: true,
      pageBytes: 0x20_0000,
    });
    expect(machine.get32(PAE_PDE)).toBe(0x0060_00e7);
  });

  it('combines the rights of both levels', () => {
    pae([PAE_TABLE | 3, 0]);
    expect(faultOf(PAE_LINEAR, 'ru')).toBe(5);
    pae([PAE_TABLE | 5, 0]);
    expect(faultOf(PAE_LINEAR, 'wu')).toBe(7);
  });

  it('refuses pointers with reserved bits, and then keeps the old CR3', () => {
    pae();
    for (const [low, high] of [
      [PAE_DIRECTORY | 3, 0],
      [PAE_DIRECTORY | 0x21, 0],
      [PAE_DIRECTORY | 1, 0x10],
    ]) {
      machine.put(POINTERS + 64, [0, 0, 0, 0, low, high, 0, 0]);
      expect(machine.fault('writeControl', 3, POINTERS + 64)).toEqual([13, 0]);
    }
    expect(machine.state.cr3).toBe(POINTERS);
    // Reserved bits of pointers that are not present do not count.
    machine.put(POINTERS + 64, [0, 0, 0, 0, 6, 0, 0, 0]);
    machine.run('writeControl', 3, POINTERS + 64);
    expect(machine.state.cr3).toBe(POINTERS + 64);
  });
});
