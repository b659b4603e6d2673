import { describe, expect, it } from 'vitest';
import { EBX, ECX, EDI, ESI, FLAG } from '../../../src/isa/cpu-state.js';
import { AT, SEL, sameInAllSlicings } from './program.js';

/** Handler of interrupt 20h: appends the return address and the saved flags to the log. */
const HANDLER = `
      50              push eax
      53              push ebx
      8b1d006f0000    mov ebx, [6f00h]
      8b442408        mov eax, [esp + 8]
      898300600000    mov [ebx + 6000h], eax
      8b442410        mov eax, [esp + 16]
      898304600000    mov [ebx + 6004h], eax
      8305006f000008  add dword [6f00h], 8
      5b              pop ebx
      58              pop eax
      cf              iretd
    `;
const program = (code: string, more: Record<number, string> = {}) => ({ [AT.code]: code, 0x9000: HANDLER, ...more });

describe('interrupts', () => {
  it('wait for the instruction behind STI', () => {
    const m = sameInAllSlicings({
      code: program(`
      e680  out 80h, al
      90    nop
      fb    sti
      90    nop
      90    nop
      fa    cli
      f4    hlt
    `),
      prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
    });
    expect(m.log(2)).toEqual([0x8005, FLAG.IF | 2]);
    expect(m.read32(0x6f00)).toBe(8);
  });

  it('that come at the tick behind STI wait for one instruction, not longer', () => {
    for (const tick of [1, 2, 3, 4]) {
      const m = sameInAllSlicings({
        code: program(`
      90  nop
      fb  sti
      40  inc eax
      40  inc eax
      40  inc eax
      fa  cli
      f4  hlt
    `),
        events: { [tick]: (t) => t.cpu.setInterrupt(true) },
        prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
      });
      expect(m.log(1)).toEqual([tick < 4 ? 0x8003 : 0x8004]);
    }
  });

  it('are not taken between STI and CLI', () => {
    const m = sameInAllSlicings({
      code: program(`
      e680  out 80h, al
      fb    sti
      fa    cli
      90    nop
      f4    hlt
    `),
      prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
    });
    expect(m.read32(0x6f00)).toBe(0);
    expect(m.ended.tick).toBe(5);
  });

  it('are not taken between MOV SS and the instruction behind it', () => {
    const m = sameInAllSlicings({
      eflags: FLAG.IF | 2,
      code: program(`
      8cd0  mov eax, ss
      8ed0  mov ss, eax
      43    inc ebx
      fa    cli
      f4    hlt
    `),
      events: { 2: (t) => t.cpu.setInterrupt(true) },
      prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
    });
    expect(m.log(1)).toEqual([0x8005]);
  });

  it('wake the CPU from STI, HLT and return behind it', () => {
    const m = sameInAllSlicings({
      code: program(`
      fb  sti
      f4  hlt
      40  inc eax
      fa  cli
      f4  hlt
    `),
      events: { 50: (t) => t.cpu.setInterrupt(true) },
      prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
    });
    expect(m.log(1)).toEqual([0x8002]);
    // 11 instructions of the handler and 3 more.
    expect(m.ended.tick).toBe(50 + 11 + 3);
  });

  it('that wait are taken between STI and HLT only behind HLT', () => {
    const m = sameInAllSlicings({
      code: program(`
      e680  out 80h, al
      fb    sti
      f4    hlt
      fa    cli
      f4    hlt
    `),
      prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
    });
    expect(m.log(1)).toEqual([0x8004]);
  });

  it('non-maskable ones wait for IRET of the first', () => {
    const m = sameInAllSlicings({
      code: program(`
      9090909090909090909090909090909090909090  times 20 nop
      f4                        hlt
    `),
      events: { 3: (t) => (t.cpu.state.nmiPending = 1), 6: (t) => (t.cpu.state.nmiPending = 1) },
      prepare: (t) => t.gate(2, SEL.code, 0x9000),
    });
    expect(m.log(4).filter((_, i) => i % 2 === 0)).toEqual([0x8003, 0x8003]);
  });

  it('enabled by POPF and IRET are taken at once', () => {
    const m = sameInAllSlicings({
      code: program(`
      e680        out 80h, al
      6802020000  push dword 202h
      9d          popfd
      90          nop
      fa          cli
      e680        out 80h, al
      6802020000  push dword 202h
      6a08        push dword 8
      681b800000  push dword 801bh
      cf          iretd
      90          nop
      fa          cli
      f4          hlt
    `),
      prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
    });
    expect(m.log(3).filter((_, i) => i % 2 === 0)).toEqual([0x8008, 0x801b]);
  });
});

describe('repeated string instructions', () => {
  const MOVS = `
      be00000400  mov esi, 40000h
      bf00100400  mov edi, 41000h
      b914000000  mov ecx, 20
      f3a5        rep movsd
      f4          hlt
    `;

  it('are interrupted at any iteration, with RF saved inside', () => {
    for (const tick of [3, 4, 12, 22, 23]) {
      const m = sameInAllSlicings({
        eflags: FLAG.IF | 2,
        code: program(MOVS),
        events: { [tick]: (t) => t.cpu.setInterrupt(true) },
        prepare: (t) => t.gate(0x20, SEL.code, 0x9000),
      });
      const inside = tick > 3 && tick < 23;
      expect(m.log(2)).toEqual([tick < 23 ? 0x800f : 0x8011, FLAG.IF | 2 | (inside ? FLAG.RF : 0)]);
      expect([m.cpu.state.gpr(ECX), m.cpu.state.gpr(ESI), m.cpu.state.gpr(EDI)]).toEqual([0, 0x40050, 0x41050]);
    }
  });

  it('take one tick for each iteration, and one for none', () => {
    expect(sameInAllSlicings({ code: program(MOVS) }).ended.tick).toBe(3 + 20 + 1);
    const none = sameInAllSlicings({
      code: program(`
      f3a5  rep movsd
      f2ae  repne scasb
      f4    hlt
    `),
    });
    expect(none.ended.tick).toBe(3);
  });

  it('that fault half-way leave the registers of that iteration', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: program(`
      be00000400  mov esi, 40000h
      bff01f0400  mov edi, 41ff0h
      b914000000  mov ecx, 20
      f3a5        rep movsd
      f4          hlt
    `),
      prepare: (t) => t.ram32(AT.table + 4 * 0x42, 0),
    });
    expect([m.stoppedIn, m.cpu.state.cr2]).toEqual([14, 0x42000]);
    expect([m.cpu.state.gpr(ECX), m.cpu.state.gpr(ESI), m.cpu.state.gpr(EDI)]).toEqual([16, 0x40010, 0x42000]);
    expect(m.stack(4)).toEqual([2, 0x800f, SEL.code, FLAG.RF | 2]);
  });

  it('that straddle a page element by element write nothing of the element that faults', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: program(`
      b811111111  mov eax, 11111111h
      bff21f0400  mov edi, 41ff2h
      b914000000  mov ecx, 20
      f3ab        rep stosd
      f4          hlt
    `),
      prepare: (t) => t.ram32(AT.table + 4 * 0x42, 0),
    });
    expect([m.cpu.state.gpr(ECX), m.cpu.state.gpr(EDI)]).toEqual([17, 0x41ffe]);
    expect(m.read16(0x41ffe)).toBe(0);
  });

  it('compare until the flag says so, whatever the cut', () => {
    const m = sameInAllSlicings({
      code: program(`
      bf00000400  mov edi, 40000h
      b964000000  mov ecx, 100
      b007        mov al, 7
      f2ae        repne scasb
      89cb        mov ebx, ecx
      be00000400  mov esi, 40000h
      bf00010400  mov edi, 40100h
      b964000000  mov ecx, 100
      f3a6        repe cmpsb
      f4          hlt
    `),
      prepare: (t) => {
        t.bytes(0x40020, '07');
        t.bytes(0x40120, '07');
        t.bytes(0x40140, '09');
      },
    });
    expect([m.cpu.state.gpr(EBX), m.cpu.state.gpr(ECX)]).toEqual([100 - 0x21, 100 - 0x41]);
  });

  it('count in CX with 16-bit addresses', () => {
    const m = sameInAllSlicings({
      code: program(`
      b903000100  mov ecx, 10003h
      bf00a03412  mov edi, 1234a000h
      f367aa      a16 rep stosb
      f4          hlt
    `),
    });
    expect([m.cpu.state.gpr(ECX), m.cpu.state.gpr(EDI)]).toEqual([0x10000, 0x1234a003]);
  });

  it('write ports one tick apart', () => {
    const m = sameInAllSlicings({
      code: program(`
      66ba9900    mov dx, 99h
      be00000400  mov esi, 40000h
      b903000000  mov ecx, 3
      f36e        rep outsb
      f4          hlt
    `),
    });
    expect(m.ended.output).toEqual(['3 99 0 1', '4 99 0 1', '5 99 0 1']);
  });
});
