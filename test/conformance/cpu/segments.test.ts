import { describe, expect, it } from 'vitest';
import { CS, DS, EBX, ECX, ESP, FLAG, SS, STATE } from '../../../src/isa/cpu-state.js';
import type { Program, TestMachine } from './program.js';
import { AT, SEL, sameInAllSlicings } from './program.js';

/** Frame of an exception with an error code in ring 0. */
const faultAt = (m: TestMachine): { vector: number; error: number; eip: number } => {
  const [error, eip] = m.stack(2);
  return { vector: m.stoppedIn, error, eip };
};

describe('the limit of CS', () => {
  const small = (code: Record<number, string>): Program => ({
    code,
    prepare: (t) => {
      t.cpu.state.setSegment(CS, SEL.smallCode, 0, 0x8fff, 0x409b);
      t.cpu.state.eip = 0x8ff0;
    },
  });

  it('faults at the first instruction beyond it', () => {
    const m = sameInAllSlicings(
      small({
        0x8ff0: `
      40404040404040404040404040404040  times 16 inc eax
    `,
      }),
    );
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x9000 });
    expect(m.eax).toBe(16);
  });

  it('faults at an instruction that crosses it', () => {
    const m = sameInAllSlicings(
      small({
        0x8ff0: `
      40404040404040404040404040  times 13 inc eax
      bb01000000                mov ebx, 1
    `,
      }),
    );
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8ffd });
  });

  it('faults at the jump that leads beyond it', () => {
    const m = sameInAllSlicings(
      small({
        0x8ff0: `
      40          inc eax
      e90a000000  jmp 9000h
    `,
      }),
    );
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8ff1 });
  });

  it('does not push the return address of a call that leads beyond it', () => {
    const m = sameInAllSlicings(
      small({
        0x8ff0: `
      e80b000000  call 9000h
    `,
      }),
    );
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8ff0 });
    expect(m.cpu.state.gpr(ESP)).toBe(AT.kernelStack - 16);
  });

  it('is FFFFh in real mode: code does not wrap', () => {
    const m = sameInAllSlicings({
      mode: 'real',
      code: {
        0xfffe: `
      40  inc ax
      40  inc ax
    `,
      },
      prepare: (t) => (t.cpu.state.eip = 0xfffe),
    });
    expect([m.stoppedIn, m.eax]).toEqual([13, 2]);
    expect(m.stack(1, 2)).toEqual([0]);
  });
});

describe('illegal encodings', () => {
  it('more than 15 bytes are #GP, 15 are not', () => {
    const long = sameInAllSlicings({
      code: {
        [AT.code]: `
      2e2e2e2e2e2e2e2e2e2e2e2e2e2e  times 14 db 2eh
      40                        inc eax
      2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e  times 15 db 2eh
      40                        inc eax
    `,
      },
    });
    expect(faultAt(long)).toEqual({ vector: 13, error: 0, eip: 0x800f });
    expect(long.eax).toBe(1);
  });

  it('more than 15 bytes across two pages are #GP', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        0x8ff8: `
      666666666666666666666666666666  times 15 db 66h
      40                        inc eax
    `,
      },
      prepare: (t) => (t.cpu.state.eip = 0x8ff8),
    });
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8ff8 });
  });

  it.each([
    [
      'a register',
      `
      f0  db 0f0h
      40  inc eax
    `,
    ],
    [
      'MOV',
      `
      f0          db 0f0h
      a300000400  mov [40000h], eax
    `,
    ],
    [
      'NOP',
      `
      f0  db 0f0h
      90  nop
    `,
    ],
    [
      'CMP with memory',
      `
      f0            db 0f0h
      390500000400  cmp [40000h], eax
    `,
    ],
    [
      'BT with memory',
      `
      f0              db 0f0h
      0fa30500000400  bt [40000h], eax
    `,
    ],
    [
      'a jump',
      `
      f0          db 0f0h
      e90a000000  jmp 8010h
    `,
    ],
  ])('LOCK on %s is #UD', (_name, code) => {
    const m = sameInAllSlicings({ code: { [AT.code]: code } });
    expect([m.stoppedIn, m.stack(1)]).toEqual([6, [0x8000]]);
  });

  it('LOCK on a read-modify-write of memory is not', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      f0ff0500000400    lock inc dword [40000h]
      f00fc10500000400  lock xadd [40000h], eax
      f00fb10d00000400  lock cmpxchg [40000h], ecx
      f4                hlt
    `,
      },
    });
    expect(m.eax).toBe(1);
  });
});

describe('real and V86 mode', () => {
  it('real mode adds segments and counts in IP', () => {
    const m = sameInAllSlicings({
      mode: 'real',
      code: {
        [AT.code]: `
      b80040        mov ax, 4000h
      8ed8          mov ds, ax
      c70610003412  mov word [10h], 1234h
      b90500        mov cx, 5
      43            inc bx
      e2fd          loop 800eh
      cd30          int 30h
      90            nop
    `,
      },
    });
    expect(m.read16(0x40010)).toBe(0x1234);
    expect(m.stoppedIn).toBe(0x30);
    expect([m.cpu.state.gpr(EBX), m.stack(2, 2)]).toEqual([5, [0x8013, 0]]);
  });

  it('a word at offset FFFFh is #GP, in SS #SS', () => {
    const gp = sameInAllSlicings({
      mode: 'real',
      code: {
        [AT.code]: `
      a1ffff  mov ax, [0ffffh]
    `,
      },
    });
    expect(gp.stoppedIn).toBe(13);
    const ss = sameInAllSlicings({
      mode: 'real',
      code: {
        [AT.code]: `
      bdffff  mov bp, 0ffffh
      8b4600  mov ax, [bp]
    `,
      },
    });
    expect(ss.stoppedIn).toBe(12);
  });

  it('unreal mode reaches all of memory from a segment loaded in protected mode', () => {
    const m = sameInAllSlicings({
      mode: 'real',
      code: {
        [AT.code]: `
      0f20c0                    mov eax, cr0
      0c01                      or al, 1
      0f22c0                    mov cr0, eax
      bb1000                    mov bx, 10h
      8edb                      mov ds, bx
      24fe                      and al, 0feh
      0f22c0                    mov cr0, eax
      6667c7050000180077777777  mov dword [dword 180000h], 77777777h
      31db                      xor bx, bx
      8edb                      mov ds, bx
      66678b0d00001800          mov ecx, [dword 180000h]
      f4                        hlt
    `,
      },
    });
    expect([m.cpu.state.gpr(ECX), m.read32(0x18_0000), m.cpu.state.segLimit(DS)]).toEqual([
      0x7777_7777, 0x7777_7777, 0xffff_ffff,
    ]);
  });

  it('V86 mode goes to ring 0 with its segments on the stack and back', () => {
    const m = sameInAllSlicings({
      mode: 'v86',
      eflags: FLAG.IOPL | 2,
      code: {
        [AT.code]: `
      b83412  mov ax, 1234h
      8ed8    mov ds, ax
      cd80    int 80h
      43      inc bx
      0f0b    ud2
    `,
        [AT.handlers + 0x800]: `
      8cd9  mov ecx, ds
      cf    iretd
    `,
      },
    });
    expect([m.stoppedIn, m.cpu.state.gpr(EBX), m.cpu.state.gpr(ECX)]).toEqual([6, 1, 0]);
    expect(m.stack(9)).toEqual([0x8008, 0, FLAG.IOPL | FLAG.VM | FLAG.RF | 2, 0xf000, 0, 0, 0x1234, 0, 0]);
  });

  it.each(['cli', 'pushf', 'int 30h', 'in al, dx'])('V86 mode with IOPL 0: %s is #GP', (name) => {
    const bytes: Record<string, string> = { cli: 'fa', pushf: '9c', 'int 30h': 'cd30', 'in al, dx': 'ec' };
    const m = sameInAllSlicings({ mode: 'v86', code: { [AT.code]: bytes[name] } });
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: AT.code });
  });
});

describe('16-bit protected mode', () => {
  it('runs 16-bit code on a 16-bit stack that wraps and keeps the upper half of ESP', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      50              push ax
      682222          push word 2222h
      0e              push cs
      e80800          call 8010h
      f4              hlt
      90909090909090  times 7 nop
      5b              pop bx
      53              push bx
      c3              ret
    `,
      },
      prepare: (t) => {
        t.cpu.state.setSegment(CS, SEL.code16, 0, 0xffff, 0x9b);
        t.cpu.state.setSegment(SS, SEL.data16, 0x10000, 0xffff, 0x93);
        t.cpu.state.setGpr(ESP, 0xabcd_0004);
      },
    });
    expect(m.cpu.state.gpr(ESP)).toBe(0xabcd_fffe);
    expect(m.cpu.state.gpr(EBX)).toBe(0x8008);
    expect([m.read16(0x10000), m.read16(0x1fffe), m.read16(0x1fffc)]).toEqual([0x2222, SEL.code16, 0x8008]);
  });

  it('a push that would cross the top of a 16-bit stack is #SS', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      50  push eax
    `,
      },
      prepare: (t) => {
        t.cpu.state.setSegment(SS, SEL.data16, 0x10000, 0xffff, 0x93);
        t.cpu.state.setGpr(ESP, 2);
        // The handler needs a stack of its own.
        t.gate(12, SEL.otherTss, 0, 0x85);
        const tss = AT.tss + 0x800;
        t.ram32(tss + 32, AT.handlers + 16 * 12);
        t.ram32(tss + 36, 2);
        t.ram32(tss + 56, AT.kernelStack);
        [SEL.data, SEL.code, SEL.data, SEL.data, 0, 0].forEach((s, i) => t.ram32(tss + 72 + 4 * i, s));
      },
    });
    expect(faultAt(m)).toMatchObject({ vector: 12, error: 0 });
    expect(m.read32(AT.tss + 32)).toBe(AT.code);
  });
});

describe('limits of data segments', () => {
  const withDs = (code: string, base: number, limit: number, access: number): Program => ({
    code: { [AT.code]: code },
    prepare: (t) => t.cpu.state.setSegment(DS, SEL.expandDown, base, limit, access),
  });

  it('an ordinary segment ends at its limit', () => {
    const code = `
      a1fc0f0000  mov eax, [0ffch]
      a1fd0f0000  mov eax, [0ffdh]
    `;
    const m = sameInAllSlicings(withDs(code, 0x40000, 0xfff, 0x4093));
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8005 });
  });

  it('an expand-down segment begins behind its limit and ends at 4 GiB or 64 KiB', () => {
    const below = `
      a300100400  mov [41000h], eax
      a2ff0f0400  mov [40fffh], al
    `;
    expect(faultAt(sameInAllSlicings(withDs(below, 0, 0x40fff, 0x4097)))).toEqual({
      vector: 13,
      error: 0,
      eip: 0x8005,
    });
    const above = `
      a3fcff0000  mov [0fffch], eax
      a3fdff0000  mov [0fffdh], eax
    `;
    expect(faultAt(sameInAllSlicings(withDs(above, 0x40000, 0xfff, 0x97)))).toEqual({
      vector: 13,
      error: 0,
      eip: 0x8005,
    });
  });

  it('read-only and null segments', () => {
    const code = `
      a100000400  mov eax, [40000h]
      a300000400  mov [40000h], eax
    `;
    expect(faultAt(sameInAllSlicings(withDs(code, 0, 0xffff_ffff, 0xc091)))).toEqual({
      vector: 13,
      error: 0,
      eip: 0x8005,
    });
    const nullDs = `
      31c0  xor eax, eax
      8ed8  mov ds, eax
      8b18  mov ebx, [eax]
    `;
    expect(faultAt(sameInAllSlicings({ code: { [AT.code]: nullDs } }))).toEqual({ vector: 13, error: 0, eip: 0x8004 });
  });

  it('are checked for FS in flat mode too', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      64a1fc0f0000  mov eax, [fs:0ffch]
      bb01000000    mov ebx, 1
      64a1ff0f0000  mov eax, [fs:0fffh]
    `,
      },
      prepare: (t) => t.cpu.state.setSegment(4, SEL.data, 0x40000, 0xfff, 0x4093),
    });
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x800b });
  });
});

describe('the I/O permission map', () => {
  const MAP_OFFSET = 0x68;
  const user = (code: string, bits: Record<number, number>): Program => ({
    mode: 'user',
    code: { [AT.code]: code },
    prepare: (t) => {
      t.ram32(AT.tss + 100, MAP_OFFSET << 16);
      t.cpu.physical.u8.fill(
        0xff,
        t.cpu.physical.u8.length - 0x24_0000 + AT.tss + MAP_OFFSET,
        t.cpu.physical.u8.length - 0x24_0000 + AT.tss + MAP_OFFSET + 0x100,
      );
      for (const [byte, value] of Object.entries(bits))
        t.bytes(AT.tss + MAP_OFFSET + Number(byte), value.toString(16).padStart(2, '0'));
      t.cell(STATE.segLimit + 4 * 7, MAP_OFFSET + 0x40);
    },
  });
  const OUT = `
      66baa700  mov dx, 0a7h
      ee        out dx, al
      66ef      out dx, ax
      66baa600  mov dx, 0a6h
      ee        out dx, al
    `;

  it('lets ring 3 use the ports whose bits are clear, all of a wide access', () => {
    // Ports A7h and A8h.
    const m = sameInAllSlicings(user(OUT, { 0x14: 0x7f, 0x15: 0xfe }));
    expect(m.ended.output.map((line) => line.slice(2))).toEqual(['a7 0 1', 'a7 0 2']);
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x800b });
  });

  it('faults when one port of a wide access is not allowed', () => {
    const m = sameInAllSlicings(user(OUT, { 0x14: 0x7f }));
    expect(m.ended.output).toHaveLength(1);
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8005 });
  });

  it('allows nothing beyond the limit of the TSS', () => {
    const m = sameInAllSlicings(
      user(
        `
      66baf801  mov dx, 1f8h
      ee        out dx, al
      66ba0002  mov dx, 200h
      ee        out dx, al
    `,
        { 0x3f: 0, 0x40: 0 },
      ),
    );
    expect(faultAt(m)).toEqual({ vector: 13, error: 0, eip: 0x8009 });
  });
});
