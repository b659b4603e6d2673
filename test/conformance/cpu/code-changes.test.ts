import { describe, expect, it } from 'vitest';
import { CS, EBX } from '../../../src/isa/cpu-state.js';
import { AT, TestMachine, sameInAllSlicings } from './program.js';

describe('code that changes', () => {
  it('takes effect at the very next instruction', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      c6050880000005  mov byte [8008h], 5
      b801000000      mov eax, 1
      f4              hlt
    `,
      },
    });
    expect(m.eax).toBe(5);
  });

  it('takes effect in a later part of the same block, from a loop that runs linked', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      b928000000    mov ecx, 40
      83c001        add eax, 1
      fe0507800000  inc byte [8007h]
      49            dec ecx
      0f85f0ffffff  jnz 8005h
      f4            hlt
    `,
      },
    });
    // 1 + 2 + .. + 40
    expect(m.eax).toBe(820);
  });

  it('by a string instruction that runs over itself stops that instruction', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      bf10800000  mov edi, 8010h
      b928000000  mov ecx, 40
      b040        mov al, 40h
      90          nop
      90          nop
      90          nop
      f3aa        rep stosb
      89fb        mov ebx, edi
      f4          hlt
    `,
      },
    });
    // The second byte becomes INC EAX: F3 40 executes as INC EAX, and on through the filled bytes.
    expect(m.cpu.state.gpr(EBX)).not.toBe(0x8038);
  });

  it('is seen by a write through another linear address', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      b90a000000      mov ecx, 10
      40              inc eax
      80350500050008  xor byte [50005h], 8
      49              dec ecx
      0f85f1ffffff    jnz 8005h
      f4              hlt
    `,
      },
      prepare: (t) => t.ram32(AT.table + 4 * 0x50, AT.code | 3),
    });
    // INC EAX and DEC EAX in turn.
    expect(m.eax).toBe(0);
  });

  it('is not disturbed by data beside it', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      b914000000    mov ecx, 20
      ff0500810000  inc dword [8100h]
      ff051c800000  inc dword [801ch]
      49            dec ecx
      0f85edffffff  jnz 8005h
      f4            hlt
    `,
      },
    });
    expect([m.read32(0x8100), m.read32(0x801c)]).toEqual([20, 20]);
  });
});

describe('pages of code that move', () => {
  // Page 60000h: INC EAX or INC EBX by physical page; the table entry of 60000h is at 2180h.
  const SWAP = `
      b90a000000            mov ecx, 10
      e8f67f0500            call 60000h
      81358021000000100000  xor dword [2180h], 1000h
      e8e77f0500            call 60000h
      49                    dec ecx
      0f85e5ffffff          jnz 8005h
      f4                    hlt
    `;

  it('are noticed without INVLPG', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: SWAP,
        0x60000: `
      40  inc eax
      c3  ret
    `,
        0x61000: `
      43  inc ebx
      c3  ret
    `,
      },
    });
    expect([m.eax, m.cpu.state.gpr(EBX)]).toEqual([10, 10]);
  });

  it('are noticed by the instruction behind the write, in the middle of a block', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      e9fb7f0500  jmp 60000h
    `,
        0x60000: `
      c7058021000003100600  mov dword [2180h], 61003h
      b801000000            mov eax, 1
      f4                    hlt
    `,
        0x61000: `
      c7058021000003100600  mov dword [2180h], 61003h
      b802000000            mov eax, 2
      f4                    hlt
    `,
      },
    });
    expect(m.eax).toBe(2);
  });

  it('are noticed when the written table entry serves a string instruction that is running', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      bf80210000  mov edi, 2180h
      b803100600  mov eax, 61003h
      b904000000  mov ecx, 4
      e9ec7f0500  jmp 60000h
    `,
        0x60000: `
      f3ab        rep stosd
      bb01000000  mov ebx, 1
      f4          hlt
    `,
        0x61000: `
      90          nop
      90          nop
      bb02000000  mov ebx, 2
      f4          hlt
    `,
      },
    });
    expect(m.cpu.state.gpr(EBX)).toBe(2);
  });

  it('are noticed by an instruction that straddles into one', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      b906000000            mov ecx, 6
      e8f48f0500            call 60ffeh
      81358421000000300000  xor dword [2184h], 3000h
      49                    dec ecx
      0f85eaffffff          jnz 8005h
      f4                    hlt
    `,
        // MOV EAX, imm32 with its last three bytes on the next page; ADD EBX, EAX; RET.
        0x60ffe: `
      b801  db 0b8h, 1
    `,
        0x61000: `
      000000  db 0, 0, 0
      01c3    add ebx, eax
      c3      ret
    `,
        0x62000: `
      010000  db 1, 0, 0
      01c3    add ebx, eax
      c3      ret
    `,
      },
    });
    expect(m.cpu.state.gpr(EBX)).toBe(3 * 1 + 3 * 0x101);
  });

  it('make an instruction fault whose second page is gone, with CR2 on that page', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      e8f98f0500            call 60ffeh
      c7058421000000000000  mov dword [2184h], 0
      e8ea8f0500            call 60ffeh
    `,
        0x60ffe: `
      b801  db 0b8h, 1
    `,
        0x61000: `
      000000  db 0, 0, 0
      c3      ret
    `,
      },
    });
    expect(m.stoppedIn).toBe(14);
    expect(m.cpu.state.cr2).toBe(0x61000);
    expect(m.stack(2)).toEqual([0, 0x60ffe]);
  });

  it('may be their own page table', () => {
    // The code's page is also the table for 400000h; its accessed and dirty bits are set in the code itself.
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      90909090909090909090909090909090  times 16 nop
      a100004000                mov eax, [400000h]
      8b1d00800000              mov ebx, [8000h]
      ff0500004000              inc dword [400000h]
      8b0d00800000              mov ecx, [8000h]
      c7050080000003000400      mov dword [8000h], 40003h
      8b1500004000              mov edx, [400000h]
      f4                        hlt
    `,
      },
      prepare: (t) => {
        t.ram32(AT.directory + 4, AT.code | 3);
        t.ram32(AT.code, 0x00040003);
        t.cpu.state.eip = AT.code + 16;
        t.ram32(0x40000, 0x1111);
      },
    });
    expect(m.cpu.state.gpr(EBX)).toBe(0x40023);
    expect(m.cpu.state.gpr(1)).toBe(0x40063);
    expect(m.read32(0x40000)).toBe(0x1112);
    expect(m.read32(AT.code)).toBe(0x40023);
  });
});

describe('accessed and dirty bits', () => {
  it('are set by every access that a processor without a TLB would make', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      be00600000      mov esi, 6000h
      a100000400      mov eax, [40000h]
      8b1d00210000    mov ebx, [2100h]
      891e            mov [esi], ebx
      a300000400      mov [40000h], eax
      8b1d00210000    mov ebx, [2100h]
      895e04          mov [esi+4], ebx
      8325002100009f  and dword [2100h], ~60h
      a104000400      mov eax, [40004h]
      8b1d00210000    mov ebx, [2100h]
      895e08          mov [esi+8], ebx
      870508000400    xchg [40008h], eax
      8b1d00210000    mov ebx, [2100h]
      895e0c          mov [esi+12], ebx
      8b1d00100000    mov ebx, [1000h]
      895e10          mov [esi+16], ebx
      832500100000df  and dword [1000h], ~20h
      90              nop
      8b1d00100000    mov ebx, [1000h]
      895e14          mov [esi+20], ebx
      f4              hlt
    `,
      },
      prepare: (t) => t.ram32(AT.table + 4 * 0x40, 0x40003),
    });
    expect(m.log(6)).toEqual([0x40023, 0x40063, 0x40023, 0x40063, 0x2027, 0x2027]);
  });

  it('of a 4 MiB page lie in the directory entry', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      a100004400    mov eax, [440000h]
      8b1d04100000  mov ebx, [1004h]
      a300004400    mov [440000h], eax
      8b0d04100000  mov ecx, [1004h]
      f4            hlt
    `,
      },
      prepare: (t) => {
        t.cpu.state.cr4 |= 0x10;
        t.ram32(AT.directory + 4, 0x83);
      },
    });
    expect([m.cpu.state.gpr(EBX), m.cpu.state.gpr(1)]).toEqual([0xa3, 0xe3]);
  });
});

describe('protection of pages', () => {
  it('CR0.WP decides whether ring 0 writes to read-only pages', () => {
    const code = `
      c7050000040001000000  mov dword [40000h], 1
      0f20c0                mov eax, cr0
      25fffffeff            and eax, ~10000h
      0f22c0                mov cr0, eax
      c7050010040002000000  mov dword [41000h], 2
      0d00000100            or eax, 10000h
      0f22c0                mov cr0, eax
      8b1d00100400          mov ebx, [41000h]
      c7050010040003000000  mov dword [41000h], 3
      f4                    hlt
    `;
    const m = sameInAllSlicings({
      mode: 'paged',
      code: { [AT.code]: code },
      prepare: (t) => t.ram32(AT.table + 4 * 0x41, 0x41001),
    });
    expect([m.stoppedIn, m.cpu.state.cr2, m.stack(1)[0]]).toEqual([14, 0x41000, 3]);
    expect([m.read32(0x41000), m.cpu.state.gpr(EBX)]).toEqual([2, 2]);
  });

  it('keeps ring 3 away from supervisor pages, whatever ring 0 has done there', () => {
    const m = sameInAllSlicings({
      mode: 'user',
      code: {
        [AT.code]: `
      cd80        int 80h
      a100000400  mov eax, [40000h]
      f4          hlt
    `,
        [AT.handlers + 0x800]: `
      c7050000040007000000  mov dword [40000h], 7
      cf                    iretd
    `,
      },
      prepare: (t) => t.ram32(AT.table + 4 * 0x40, 0x40003),
    });
    expect([m.stoppedIn, m.cpu.state.cr2, m.stack(2)]).toEqual([14, 0x40000, [5, 0x8002]]);
  });
});

describe('physical addresses', () => {
  it('beyond 4 GiB are not those of RAM', () => {
    const m = sameInAllSlicings({
      mode: 'paged',
      code: {
        [AT.code]: `
      c7050000440001000000  mov dword [440000h], 1
      a100004400            mov eax, [440000h]
      8b1d00000400          mov ebx, [40000h]
      f4                    hlt
    `,
      },
      prepare: (t) => {
        t.cpu.state.cr4 |= 0x10;
        // PSE-36: address bit 32.
        t.ram32(AT.directory + 4, 0x2083);
        t.ram32(0x40000, 0x1234);
      },
    });
    expect([m.eax, m.cpu.state.gpr(EBX)]).toEqual([0xffff_ffff, 0x1234]);
  });

  it('wrap at 1 MiB while line 20 is masked, also those of the next instruction', () => {
    const m = sameInAllSlicings({
      mode: 'protected',
      code: {
        [AT.code]: `
      e90b001000  jmp 108010h
    `,
        0x10_8010: `
      b000  mov al, 0
      e692  out 92h, al
      40    inc eax
      40    inc eax
      f4    hlt
    `,
      },
      prepare: (t) => t.bytes(0x8014, '4343f4'),
    });
    expect(m.cpu.state.segBase(CS)).toBe(0);
    expect([m.eax & 0xff, m.cpu.state.gpr(EBX)]).toEqual([0, 2]);
  });
});

describe('code in the memory of a device', () => {
  const onDevice = (offset: number, listing: string) => (t: TestMachine) => {
    t.device.set(Buffer.from(TestMachine.hex(listing), 'hex'), offset);
    t.cpu.state.eip = AT.device + offset;
  };

  it('is read as often however execution is cut, and sees its own writes', () => {
    const m = sameInAllSlicings({
      code: {},
      prepare: onDevice(
        0x10,
        `
      b905000000    mov ecx, 5
      83c001        add eax, 1
      fe0517003000  inc byte [300017h]
      49            dec ecx
      0f85f0ffffff  jnz 300015h
      f4            hlt
    `,
      ),
    });
    expect(m.eax).toBe(15);
    expect(m.ended.deviceReads).toBeGreaterThan(0);
  });

  it('may cross its pages, with and without paging', () => {
    for (const mode of ['protected', 'paged'] as const) {
      const m = sameInAllSlicings({
        mode,
        code: {},
        prepare: onDevice(
          0xffd,
          `
      b878563412  mov eax, 12345678h
      83c001      add eax, 1
      f4          hlt
    `,
        ),
      });
      expect(m.eax).toBe(0x1234_5679);
    }
  });

  it('may rewrite itself with a string instruction', () => {
    const m = sameInAllSlicings({
      code: {},
      prepare: onDevice(
        0x10,
        `
      bf1e003000  mov edi, 30001eh
      b909000000  mov ecx, 9
      b090        mov al, 90h
      90          nop
      90          nop
      f3aa        rep stosb
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
      f4          hlt
    `,
      ),
    });
    expect(m.ended.tick).toBeGreaterThan(6);
  });

  it('is all ones where there is nothing', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      e9fb7f2700  jmp 280000h
    `,
      },
    });
    expect([m.stoppedIn, m.stack(1)]).toEqual([6, [0x28_0000]]);
  });
});
