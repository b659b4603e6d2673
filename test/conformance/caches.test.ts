import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../src/base/bytes.js';
import { toHex } from '../../src/base/hash.js';
import { MmioBus } from '../../src/core/bus.js';
import type { Cpu } from '../../src/cpu/cpu.js';
import { LAYOUT } from '../../src/cpu/memory/layout.js';
import { createBareCpu } from '../../src/host/bare-cpu.js';
import { createHashing } from '../../src/host/hashing.js';
import { CS, DS, ES, ESP, FS, GS, SS, STATE } from '../../src/isa/cpu-state.js';

/**
 * Ring 0, paging on. It moves pages by writing their entries, clears accessed and dirty bits and reads them back, never
 * with INVLPG; it takes page faults, rewrites the instruction it is about to run, and ends with HLT.
 */
const PROGRAM = `
8000 31ed                    xor ebp, ebp
     b906000000              mov ecx, 6
8007 89c8             again: mov eax, ecx
     83e001                  and eax, 1
     c1e00c                  shl eax, 12
     8d9003000500            lea edx, [eax + 50003h]
     891500210000            mov [2100h], edx             ; page 40000h is now 50000h or 51000h
     032d00000400            add ebp, [40000h]
     c1c505                  rol ebp, 5
     032d00210000            add ebp, [2100h]             ; its entry, accessed
     ff0504000400            inc dword [40004h]
     332d00210000            xor ebp, [2100h]             ; dirty
     8025002100009f          and byte [2100h], 9fh        ; neither
     c1c505                  rol ebp, 5
     032d04000400            add ebp, [40004h]
     032d00210000            add ebp, [2100h]             ; accessed again
     8d9003300000            lea edx, [eax + 3003h]
     891504100000            mov [1004h], edx             ; another page table for 400000h
     332d00004000            xor ebp, [400000h]
     c7050421000000000000    mov dword [2104h], 0
     032d00100400            add ebp, [41000h]            ; page fault
     fe0575800000            inc byte [8075h]
8074 b010                    mov al, 10h                  ; its immediate has just changed
     c1c503                  rol ebp, 3
     01c5                    add ebp, eax
     51                      push ecx
     bff00f0600              mov edi, 60ff0h
     b910000000              mov ecx, 16
     89e8                    mov eax, ebp
     f3ab                    rep stosd                    ; over a page's end
     59                      pop ecx
     49                      dec ecx
     0f8575ffffff            jnz again
     892d00000700            mov [70000h], ebp
     f4                      hlt
8099 c7050421000003200500    mov dword [2104h], 52003h    ; the page fault's handler
     83c404                  add esp, 4
     cf                      iretd
`;
const CODE = 0x8000;
const HANDLER = 0x8099;
const DIRECTORY = 0x1000;
const TABLE = 0x2000;
const GDT = 0x5000;
const IDT = 0x6000;
const STACK_TOP = 0x8000;
const RAM_BYTES = 0x200000;

function createProgram(): Cpu {
  const cpu = createBareCpu({ ramBytes: RAM_BYTES, mmio: new MmioBus() });
  const { view } = cpu.physical;
  const ram32 = (address: number, value: number): void => view.setUint32(LAYOUT.ram + address, value, true);
  const code = [...PROGRAM.matchAll(/^(?:[0-9a-f]{4}|    ) ([0-9a-f]+) /gm)].flatMap(([, hex]) => hex.match(/../g)!);
  cpu.physical.u8.set(
    code.map((byte) => parseInt(byte, 16)),
    LAYOUT.ram + CODE,
  );
  ram32(DIRECTORY, TABLE | 3);
  for (let page = 0; page < 256; page++) ram32(TABLE + 4 * page, (page << 12) | 3);
  [0x3000, 0x4000].forEach((table, i) => ram32(table, (0x53000 + 0x1000 * i) | 3));
  for (let page = 0x50; page < 0x55; page++) ram32(page << 12, page * 0x01010101);
  ram32(GDT + 8, 0x0000ffff);
  ram32(GDT + 12, 0x00cf9b00);
  ram32(IDT + 8 * 14, (8 << 16) | HANDLER);
  ram32(IDT + 8 * 14 + 4, 0x8e00);
  cpu.state.setSegment(CS, 8, 0, 0xffff_ffff, 0xc09b);
  for (const segment of [ES, SS, DS, FS, GS]) cpu.state.setSegment(segment, 16, 0, 0xffff_ffff, 0xc093);
  cpu.state.setGpr(ESP, STACK_TOP);
  for (const [cell, value] of [
    [STATE.gdtrBase, GDT],
    [STATE.gdtrLimit, 15],
    [STATE.idtrBase, IDT],
    [STATE.idtrLimit, 0x7ff],
    [STATE.cr0, 0x80000011],
    [STATE.cr3, DIRECTORY],
    [STATE.eip, CODE],
  ]) {
    view.setUint32(cell, value, true);
  }
  cpu.restored();
  return cpu;
}

const sha256 = (bytes: Uint8Array): string => toHex(createHashing().sha256(bytes));

interface Outcome {
  readonly tick: number;
  readonly hash: number;
  readonly stateSha256: string;
  readonly ramSha256: string;
}

/** Runs to the HLT, cut every `sliceTicks`; `between` is called at every cut. */
function outcome(sliceTicks: number, between: (cpu: Cpu) => void): Outcome {
  const cpu = createProgram();
  while (!cpu.halted && !cpu.shutdown && cpu.now < 10_000) {
    const until = cpu.now + sliceTicks;
    while (cpu.now < until && !cpu.halted && !cpu.shutdown) cpu.run(until);
    between(cpu);
  }
  cpu.settle();
  const state = new ByteWriter();
  cpu.state.save(state);
  const ram = cpu.physical.u8.subarray(LAYOUT.ram, LAYOUT.ram + RAM_BYTES);
  const hash = cpu.physical.view.getUint32(LAYOUT.ram + 0x70000, true);
  return { tick: cpu.now, hash, stateSha256: sha256(state.finish()), ramSha256: sha256(ram) };
}

describe('what the CPU keeps to be faster', () => {
  const straight = outcome(10_000, () => {});

  it('lets the program come to its end', () => {
    // 6 rounds of 30 instructions, 16 iterations of STOSD, a fault and 3 instructions of its handler.
    expect(straight.tick).toBe(2 + 6 * (30 + 16 + 1 + 3) + 2);
    expect(straight.hash).not.toBe(0);
  });

  it.each([1, 2, 3, 7, 50])('changes nothing when it is dropped every %d ticks', (ticks) => {
    expect(outcome(ticks, (cpu) => cpu.restored())).toEqual(straight);
  });

  it.each([1, 2, 3, 7, 50])('changes nothing when translations alone are dropped every %d ticks', (ticks) => {
    expect(outcome(ticks, (cpu) => cpu.memory.tlb.flushAll())).toEqual(straight);
  });

  it.each([1, 2, 3, 7, 50])('changes nothing when execution is cut every %d ticks', (ticks) => {
    expect(outcome(ticks, () => {})).toEqual(straight);
  });
});
