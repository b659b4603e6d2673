import { describe, expect, it } from 'vitest';
import { FLAG } from '../../../src/isa/cpu-state.js';
import type { Program, TestMachine } from './program.js';
import { AT, SEL, sameInAllSlicings } from './program.js';

const HANDLER = 0x9000;
/** Handler of #DB: appends EIP, EFLAGS and DR6 to the log, clears DR6 and goes on with RF set. */
const LOG_AND_RESUME = `
      50                push eax
      53                push ebx
      8b1d006f0000      mov ebx, [6f00h]
      8b442408          mov eax, [esp + 8]
      898300600000      mov [ebx + 6000h], eax
      8b442410          mov eax, [esp + 16]
      898304600000      mov [ebx + 6004h], eax
      0f21f0            mov eax, dr6
      898308600000      mov [ebx + 6008h], eax
      8305006f00000c    add dword [6f00h], 12
      31c0              xor eax, eax
      0f23f0            mov dr6, eax
      814c241000000100  or dword [esp + 16], 10000h
      5b                pop ebx
      58                pop eax
      cf                iretd
    `;

/** What the handler saw: EIP, RF in the saved flags, and the low half of DR6. */
function traps(m: TestMachine): { eip: number; rf: boolean; dr6: number }[] {
  const count = m.read32(0x6f00) / 12;
  return Array.from({ length: count }, (_, i) => ({
    eip: m.read32(AT.log + 12 * i),
    rf: (m.read32(AT.log + 12 * i + 4) & FLAG.RF) !== 0,
    dr6: m.read32(AT.log + 12 * i + 8) & 0xf00f,
  }));
}
const eips = (m: TestMachine): number[] => traps(m).map((t) => t.eip);

function debugged(code: string, options: Partial<Program> = {}): Program {
  return {
    ...options,
    code: { [AT.code]: code, [HANDLER]: LOG_AND_RESUME, ...options.code },
    prepare: (m) => {
      m.gate(1, SEL.code, HANDLER);
      options.prepare?.(m);
    },
  };
}

describe('single-stepping', () => {
  it('begins behind the instruction that follows POPF and ends behind the POPF that clears TF', () => {
    const m = sameInAllSlicings(
      debugged(`
      9c              pushfd
      810c2400010000  or dword [esp], 100h
      9d              popfd
      90              nop
      b801000000      mov eax, 1
      9c              pushfd
      812424fffeffff  and dword [esp], ~100h
      9d              popfd
      90              nop
      f4              hlt
    `),
    );
    expect(eips(m)).toEqual([0x800a, 0x800f, 0x8010, 0x8017, 0x8018]);
    expect(traps(m)[0]).toEqual({ eip: 0x800a, rf: false, dr6: 0x4000 });
  });

  it('begins behind the first instruction that IRET returns to', () => {
    const m = sameInAllSlicings(
      debugged(`
      6802010000  push dword 102h
      6a08        push dword 8
      6810800000  push dword 8010h
      cf          iretd
      9090909090  times 5 nop
      90          nop
      0f0b        ud2
    `),
    );
    expect(eips(m)).toEqual([0x8011, 0x8012, 0x8013]);
  });

  it('reports no trap between MOV SS and the instruction behind it', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      8cd0  mov eax, ss
      8ed0  mov ss, eax
      90    nop
      90    nop
      0f0b  ud2
    `,
        { eflags: 0x102 },
      ),
    );
    expect(eips(m)).toEqual([0x8002, 0x8005, 0x8006]);
  });

  it('skips the handler of a software interrupt', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      90    nop
      cd80  int 80h
      90    nop
      0f0b  ud2
    `,
        {
          eflags: 0x102,
          code: {
            [AT.handlers + 0x800]: `
      90  nop
      cf  iretd
    `,
          },
        },
      ),
    );
    expect(eips(m)).toEqual([0x8001, 0x8004]);
  });

  it('reports nothing for an instruction that faults, and the handler runs freely', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      90    nop
      0f0b  ud2
    `,
        { eflags: 0x102 },
      ),
    );
    expect(eips(m)).toEqual([0x8001]);
    expect(m.stoppedIn).toBe(6);
    expect(m.stack(3)).toEqual([0x8001, SEL.code, 0x10102]);
  });

  it('stops behind every iteration of REP with RF saved, but for the last', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      b903000000  mov ecx, 3
      bf00000400  mov edi, 40000h
      f3ab        rep stosd
      0f0b        ud2
    `,
        { eflags: 0x102 },
      ),
    );
    expect(traps(m).map((t) => [t.eip, t.rf])).toEqual([
      [0x8005, false],
      [0x800a, false],
      [0x800a, true],
      [0x800a, true],
      [0x800c, false],
    ]);
  });

  it('wakes the CPU from HLT', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      f4                hlt
      816424fcfffeffff  and dword [esp - 4], ~100h
      40                inc eax
      9c                pushfd
      812424fffeffff    and dword [esp], ~100h
      9d                popfd
      f4                hlt
    `,
        { eflags: 0x102 },
      ),
    );
    expect(eips(m)[0]).toBe(0x8001);
    expect(m.eax).toBe(1);
  });
});

describe('instruction breakpoints', () => {
  const breakAt = (m: TestMachine, address: number, dr7 = 0x401): void => {
    m.cpu.state.setDr(0, address);
    m.cpu.state.setDr(7, dr7);
  };
  const LOOP = `
      b903000000    mov ecx, 3
      40            inc eax
      49            dec ecx
      0f85f8ffffff  jnz 8005h
      f4            hlt
    `;

  it('fault ahead of the instruction, once for each time it is reached', () => {
    const m = sameInAllSlicings(debugged(LOOP, { prepare: (t) => breakAt(t, 0x8006) }));
    expect(traps(m)).toEqual([0, 1, 2].map(() => ({ eip: 0x8006, rf: false, dr6: 1 })));
    expect(m.eax).toBe(3);
  });

  it('are skipped once while RF is set', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      6802000100  push dword 10002h
      6a08        push dword 8
      6810800000  push dword 8010h
      cf          iretd
      9090909090  times 5 nop
      40          inc eax
      e9f8ffffff  jmp 8010h
    `,
        { prepare: (t) => breakAt(t, 0x8010), limitTicks: 100 },
      ),
    );
    expect(eips(m).length).toBeGreaterThan(2);
    expect(m.read32(0x6f00) / 12).toBeLessThan(m.eax + 1);
  });

  it('take a tick even where the handler itself has one', () => {
    const m = sameInAllSlicings(
      debugged(LOOP, { prepare: (t) => breakAt(t, HANDLER, 0x401), limitTicks: 300, eflags: 0x102 }),
    );
    expect(m.ended.tick).toBe(300);
  });

  it('are not met by each iteration of REP', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      b904000000  mov ecx, 4
      bf00000400  mov edi, 40000h
      f3aa        rep stosb
      f4          hlt
    `,
        { prepare: (t) => breakAt(t, 0x800a) },
      ),
    );
    expect(eips(m)).toEqual([0x800a]);
  });

  it('are held off by MOV SS', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      8cd0  mov eax, ss
      8ed0  mov ss, eax
      90    nop
      f4    hlt
    `,
        { prepare: (t) => breakAt(t, 0x8004) },
      ),
    );
    expect(eips(m)).toEqual([]);
  });
});

describe('data breakpoints', () => {
  const LENGTHS: readonly (readonly [bytes: number, code: number])[] = [
    [1, 0],
    [2, 1],
    [4, 3],
  ];
  const KINDS: readonly (readonly [name: string, code: number, reads: boolean])[] = [
    ['writes', 1, false],
    ['reads and writes', 3, true],
  ];
  // Reads, then writes a byte at 40000h, 40001h, .. 40007h; a dword across 40003h.
  const CODE = `
      bf00000400    mov edi, 40000h
      8a07          mov al, [edi]
      8807          mov [edi], al
      47            inc edi
      81ff08000400  cmp edi, 40008h
      0f85efffffff  jne 8005h
      f4            hlt
    `;

  for (const [bytes, length] of LENGTHS) {
    for (const [name, kind, reads] of KINDS) {
      it(`of ${bytes} bytes trap behind ${name} in their range only`, () => {
        const m = sameInAllSlicings(
          debugged(CODE, {
            prepare: (t) => {
              t.cpu.state.setDr(1, 0x4_0004);
              t.cpu.state.setDr(7, 0x404 | (((length << 2) | kind) << 20));
            },
          }),
        );
        const one = reads ? [0x8007, 0x8009] : [0x8009];
        expect(eips(m)).toEqual(Array.from({ length: bytes }, () => one).flat());
        expect(traps(m).every((t) => t.dr6 === 2 && !t.rf)).toBe(true);
      });
    }
  }

  const watch = (m: TestMachine, address: number, control: number): void => {
    m.cpu.state.setDr(0, address);
    m.cpu.state.setDr(7, 0x401 | (control << 16));
  };

  it('are met by wider accesses that begin below them, also across pages', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      a1fd0f0400      mov eax, [40ffdh]
      a1fc0f0400      mov eax, [40ffch]
      a3fe0f0400      mov [40ffeh], eax
      0f6f05f90f0400  movq mm0, [40ff9h]
      f4              hlt
    `,
        { prepare: (t) => watch(t, 0x4_1000, 3), mode: 'paged' },
      ),
    );
    expect(eips(m)).toEqual([0x8005, 0x800f, 0x8016]);
  });

  it('report REP behind the iteration that met them, with RF saved', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      b905000000  mov ecx, 5
      bf00000400  mov edi, 40000h
      f3ab        rep stosd
      f4          hlt
    `,
        { prepare: (t) => watch(t, 0x4_0008, 13) },
      ),
    );
    expect(traps(m)).toEqual([{ eip: 0x800a, rf: true, dr6: 1 }]);
  });

  it('are not met by fetching instructions', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      90          nop
      e9feffffff  jmp 8004h
      90          nop
      40          inc eax
      f4          hlt
    `,
        { prepare: (t) => watch(t, AT.code + 4, 15) },
      ),
    );
    expect(eips(m)).toEqual([]);
  });

  it('are not reported when the instruction faults', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      a3fe0f0400  mov [40ffeh], eax
      f4          hlt
    `,
        {
          mode: 'paged',
          prepare: (t) => {
            watch(t, 0x4_0ffe, 5);
            t.ram32(AT.table + 4 * 0x41, 0);
          },
        },
      ),
    );
    expect(m.stoppedIn).toBe(14);
    expect(eips(m)).toEqual([]);
    expect(m.cpu.state.dr(6) & 15).toBe(0);
  });

  it('met by MOV SS are reported behind the next instruction', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      c7050000040010000000  mov dword [40000h], 10h
      8e1500000400          mov ss, [40000h]
      90                    nop
      f4                    hlt
    `,
        { prepare: (t) => watch(t, 0x4_0000, 7) },
      ),
    );
    expect(eips(m)).toEqual([0x800a, 0x8011]);
  });

  it('met by MOV SS are reported in the handler of the INT behind it', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      8e1500000400  mov ss, [40000h]
      cd80          int 80h
      f4            hlt
    `,
        {
          prepare: (t) => {
            watch(t, 0x4_0000, 7);
            t.ram32(0x4_0000, SEL.data);
          },
        },
      ),
    );
    expect(eips(m)).toEqual([AT.handlers + 0x800]);
  });
});

describe('the other causes of #DB', () => {
  it('general detect is a fault that saves RF', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      b800240000  mov eax, 2400h
      0f23f8      mov dr7, eax
      0f21c3      mov ebx, dr0
      f4          hlt
    `,
      },
    });
    expect(m.stoppedIn).toBe(1);
    expect(m.stack(3)).toEqual([0x8008, SEL.code, 0x10002]);
    expect(m.cpu.state.dr(6) & 0xf00f).toBe(0x2000);
    expect(m.cpu.state.dr(7)).toBe(0x400);
  });

  const otherTask = (t: TestMachine, trap: number, eflags = 2): void => {
    const tss = AT.tss + 0x800;
    t.ram32(tss + 28, AT.directory);
    t.ram32(tss + 32, 0xa000);
    t.ram32(tss + 36, eflags);
    t.ram32(tss + 56, AT.kernelStack - 0x1000);
    [SEL.data, SEL.code, SEL.data, SEL.data, 0, 0].forEach((s, i) => t.ram32(tss + 72 + 4 * i, s));
    t.ram32(tss + 100, trap);
  };
  const JUMP = `
      ea000000005000  jmp 50h:0
    `;
  const TASK = `
      40  inc eax
      40  inc eax
      f4  hlt
    `;

  it('the T bit traps ahead of the first instruction of the new task', () => {
    const m = sameInAllSlicings(debugged(JUMP, { code: { 0xa000: TASK }, prepare: (t) => otherTask(t, 1) }));
    expect(traps(m)).toEqual([{ eip: 0xa000, rf: false, dr6: 0x8000 }]);
    expect(m.eax).toBe(2);
  });

  it('a task switch by an interrupt reports the T bit as well', () => {
    const m = sameInAllSlicings(
      debugged(
        `
      90    nop
      cd80  int 80h
      f4    hlt
    `,
        {
          code: { 0xa000: TASK },
          prepare: (t) => {
            otherTask(t, 1);
            t.gate(0x80, SEL.otherTss, 0, 0xe5);
          },
        },
      ),
    );
    expect(traps(m)).toEqual([{ eip: 0xa000, rf: false, dr6: 0x8000 }]);
  });

  it('a task switch clears local breakpoints and keeps global ones', () => {
    const m = sameInAllSlicings(
      debugged(JUMP, {
        code: { 0xa000: TASK },
        prepare: (t) => {
          otherTask(t, 0);
          t.cpu.state.setDr(0, 0xa000);
          t.cpu.state.setDr(1, 0xa001);
          t.cpu.state.setDr(7, 0x409);
        },
      }),
    );
    expect(eips(m)).toEqual([0xa001]);
    expect(m.cpu.state.dr(7)).toBe(0x408);
  });

  it('RF loaded by a task switch covers the first instruction of the new task', () => {
    const m = sameInAllSlicings(
      debugged(JUMP, {
        code: { 0xa000: TASK },
        prepare: (t) => {
          otherTask(t, 0, 0x10002);
          t.cpu.state.setDr(0, 0xa000);
          t.cpu.state.setDr(1, 0xa001);
          t.cpu.state.setDr(7, 0x40a);
        },
      }),
    );
    expect(eips(m)).toEqual([0xa001]);
  });

  it('a #DB task gate to a task with the T bit set does not stop time', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      90  nop
      90  nop
      f4  hlt
    `,
      },
      eflags: 0x102,
      limitTicks: 200,
      prepare: (t) => {
        otherTask(t, 1);
        t.gate(1, SEL.otherTss, 0, 0x85);
      },
    });
    expect(m.ended.tick).toBeLessThanOrEqual(200);
  });
});
