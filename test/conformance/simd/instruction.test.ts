import { beforeEach, describe, expect, it } from 'vitest';
import { EDI, ESP, EXCEPTION, STATE } from '../../../src/isa/cpu-state.js';
import { CODE, DATA, NO_EXCEPTION, RealModeMachine, doubles, singleLanes, singles } from './real-mode-machine.js';

const { UD, NM, GP, MF, XM } = EXCEPTION;
const AT_DATA = [DATA & 0xff, DATA >> 8] as const;
const CR0_EM = 4;
const CR0_TS = 8;
const CR0_NE = 0x20;

let m: RealModeMachine;
beforeEach(() => {
  m = new RealModeMachine();
});

describe('SSE floating-point exceptions', () => {
  const divps = [0x0f, 0x5e, 0xc1];

  it('leave the destination alone and raise #XM when unmasked', () => {
    m.setState('mxcsr', 0x1f80 & ~0x200);
    m.setXmm(0, singles(1, 2, 3, 4));
    m.setXmm(1, singles(1, 0, 3, 7));
    expect(m.run(...divps)).toBe(XM);
    expect(m.xmm(0)).toBe(singles(1, 2, 3, 4));
  });

  it('report only what is known before computing if that is unmasked', () => {
    // Lane 1 divides by zero, lane 3 is inexact: PE would come later.
    m.setState('mxcsr', 0x1f80 & ~0x200);
    m.setXmm(0, singles(1, 2, 3, 4));
    m.setXmm(1, singles(1, 0, 3, 7));
    m.run(...divps);
    expect(m.state('mxcsr') & 0x3f).toBe(0x04);
  });

  it('collect the flags of all lanes when masked', () => {
    m.setXmm(0, singles(1, 2, 0, 4));
    m.setXmm(1, singles(1, 0, 0, 7));
    expect(m.run(...divps)).toBe(NO_EXCEPTION);
    expect(m.state('mxcsr') & 0x3f).toBe(0x01 | 0x04 | 0x20);
    expect(m.xmm(0)).toBe(singles(1, Infinity, 0, 4 / 7) + (0xffc0_0000n << 64n));
  });

  it('raise #UD when the system does not handle #XM', () => {
    m.setState('cr4', 0x200);
    m.setState('mxcsr', 0x1f80 & ~0x1000);
    m.setXmm(0, singles(1, 1, 1, 1));
    m.setXmm(1, singles(3, 1, 1, 1));
    expect(m.run(...divps)).toBe(UD);
    expect(m.state('mxcsr') & 0x3f).toBe(0x20);
  });

  it('do not touch EFLAGS when COMISD is unmasked invalid', () => {
    m.setState('mxcsr', 0x1f80 & ~0x80);
    m.setXmm(0, doubles(NaN, 0));
    // STC; COMISD XMM0, XMM1. The handler's frame holds FLAGS.
    expect(m.run(0xf9, 0x66, 0x0f, 0x2f, 0xc1)).toBe(XM);
    const frame = m.view.getUint32(STATE.gpr + 8 * ESP, true);
    expect(m.bytes(frame + 4, 1)[0] & 0x45).toBe(0x01);
  });

  it('are not raised by flags that were set before', () => {
    m.setState('mxcsr', (0x1f80 & ~0x1000) | 0x3f);
    m.setXmm(0, singles(1, 2, 4, 8));
    m.setXmm(1, singles(2, 2, 2, 2));
    expect(m.run(...divps)).toBe(NO_EXCEPTION);
  });
});

describe('availability of MMX and SSE', () => {
  const paddb = [0x0f, 0xfc, 0xc1];
  const addps = [0x0f, 0x58, 0xc1];

  it.each([
    ['MMX', paddb, CR0_EM, 0x600, UD],
    ['MMX', paddb, CR0_TS, 0x600, NM],
    ['MMX', paddb, 0, 0, NO_EXCEPTION],
    ['SSE', addps, CR0_EM, 0x600, UD],
    ['SSE', addps, CR0_TS, 0x600, NM],
    ['SSE', addps, 0, 0x400, UD],
  ])('%s %j with CR0 %i CR4 %i ends in vector %i', (_name, code, cr0, cr4, vector) => {
    m.setState('cr0', 0x30 | cr0);
    m.setState('cr4', cr4);
    expect(m.run(...code)).toBe(vector);
  });

  it('MMX instructions report a pending x87 exception, those that only load memory for SSE do not', () => {
    m.setState('cr0', 0x30 | CR0_NE);
    m.setState('fcw', 0x37e);
    m.setState('fsw', 0x8081);
    expect(m.run(...paddb)).toBe(MF);
    expect(m.run(0x0f, 0x2a, 0xc1)).toBe(MF);
    expect(m.run(0x0f, 0x2a, 0x06, ...AT_DATA)).toBe(NO_EXCEPTION);
  });
});

describe('memory operands of 16 bytes', () => {
  it('raise #GP when an aligned form meets another address', () => {
    const odd = [(DATA + 8) & 0xff, DATA >> 8];
    expect(m.run(0x0f, 0x28, 0x06, ...odd)).toBe(GP);
    expect(m.run(0x0f, 0x58, 0x06, ...odd)).toBe(GP);
    expect(m.run(0x66, 0x0f, 0xfe, 0x06, ...odd)).toBe(GP);
    expect(m.run(0x0f, 0x2b, 0x06, ...odd)).toBe(GP);
    expect(m.run(0x0f, 0x10, 0x06, ...odd)).toBe(NO_EXCEPTION);
    expect(m.run(0xf2, 0x0f, 0x58, 0x06, ...odd)).toBe(NO_EXCEPTION);
  });
});

describe('MASKMOVDQU and MASKMOVQ', () => {
  const at = (address: number): void => m.view.setUint32(STATE.gpr + 8 * EDI, address, true);

  it('store the selected bytes only', () => {
    at(DATA + 5);
    m.write(DATA, new Array<number>(32).fill(0xee));
    m.setXmm(0, 0x0f0e0d0c0b0a09080706050403020100n);
    m.setXmm(1, 0x80000000_00000000_00ff7f00_00000080n);
    expect(m.run(0x66, 0x0f, 0xf7, 0xc1)).toBe(NO_EXCEPTION);
    const expected = new Array<number>(32).fill(0xee);
    for (const byte of [0, 6, 15]) expected[5 + byte] = byte;
    expect(m.bytes(DATA, 32)).toEqual(expected);
  });

  it('store nothing when one selected byte faults', () => {
    // Real mode: offset 10000h is beyond the limit of 64 KiB only for a 32-bit address.
    at(0xfff8);
    m.write(0xfff8, new Array<number>(8).fill(0xee));
    m.setXmm(0, -1n & ((1n << 128n) - 1n));
    m.setXmm(1, -1n & ((1n << 128n) - 1n));
    expect(m.run(0x67, 0x66, 0x0f, 0xf7, 0xc1)).toBe(GP);
    expect(m.bytes(0xfff8, 8)).toEqual(new Array<number>(8).fill(0xee));
  });

  it('never fault with an empty mask, and MASKMOVQ enters MMX state', () => {
    at(0xffff_0000);
    m.setState('fsw', 0x3800);
    m.setState('ftag', 0);
    m.setMmx(2, 0x7f7f_7f7f_7f7f_7f7fn);
    expect(m.run(0x67, 0x0f, 0xf7, 0xc2)).toBe(NO_EXCEPTION);
    expect([m.state('fsw'), m.state('ftag')]).toEqual([0, 0xff]);
  });

  it('MASKMOVQ stores eight bytes at most', () => {
    at(DATA);
    m.write(DATA, new Array<number>(16).fill(0xee));
    m.setMmx(1, 0x0807060504030201n);
    m.setMmx(2, 0xff000000_000000ffn);
    expect(m.run(0x0f, 0xf7, 0xca)).toBe(NO_EXCEPTION);
    const expected = new Array<number>(16).fill(0xee);
    expected[0] = 1;
    expected[7] = 8;
    expect(m.bytes(DATA, 16)).toEqual(expected);
  });
});

describe('MXCSR, FXSAVE and FXRSTOR', () => {
  const load = [0x0f, 0xae, 0x16, ...AT_DATA];
  const fxsave = [0x0f, 0xae, 0x06, ...AT_DATA];
  const fxrstor = [0x0f, 0xae, 0x0e, ...AT_DATA];

  it('LDMXCSR takes all 16 bits and refuses others', () => {
    m.write32(DATA, 0xffff);
    expect(m.run(...load)).toBe(NO_EXCEPTION);
    expect(m.state('mxcsr')).toBe(0xffff);
    m.write32(DATA, 0x1_1f80);
    expect(m.run(...load)).toBe(GP);
    expect(m.state('mxcsr')).toBe(0xffff);
    expect(m.run(0x0f, 0xae, 0x1e, ...AT_DATA)).toBe(NO_EXCEPTION);
    expect(m.bytes(DATA, 4)).toEqual([0xff, 0xff, 0, 0]);
  });

  function fillState(): void {
    m.setState('fcw', 0x0340);
    m.setState('fsw', 0x2800 | 0x80a1);
    m.setState('ftag', 0xa5);
    m.setState('fop', 0x7a5);
    m.setState('fip', 0x1234_5678);
    m.setState('fcs', 0x9abc);
    m.setState('fdp', 0xdef0_1234);
    m.setState('fds', 0x5678);
    m.setState('mxcsr', 0x5aa5);
    for (let i = 0; i < 8; i++) {
      m.setMmx(i, 0x8000_0000_0000_0000n + BigInt(i));
      m.view.setUint16(STATE.fpr + 16 * i + 8, 0x4000 + i, true);
      m.setXmm(i, (BigInt(i) << 120n) | 0x1122_3344_5566_7788n);
    }
  }
  const guestState = (): number[] => [...new Uint8Array(m.view.buffer).slice(STATE.fpr, STATE.mxcsr + 4)];

  it('FXSAVE lays the image out as the manual says and leaves bytes from 288 on alone', () => {
    fillState();
    m.write(DATA, new Array<number>(512).fill(0xee));
    expect(m.run(...fxsave)).toBe(NO_EXCEPTION);
    const image = m.bytes(DATA, 512);
    const at = (offset: number, count: number): number =>
      image.slice(offset, offset + count).reduceRight((value, byte) => value * 256 + byte, 0);
    expect([0, 2, 6].map((offset) => at(offset, 2))).toEqual([0x0340, 0xa8a1, 0x7a5]);
    expect([image[4], image[5]]).toEqual([0xa5, 0]);
    expect([8, 16, 24, 28].map((offset) => at(offset, 4))).toEqual([0x1234_5678, 0xdef0_1234, 0x5aa5, 0xffff]);
    expect([at(12, 4), at(20, 4)]).toEqual([0x9abc, 0x5678]);
    // ST0 is R5 as TOP is 5.
    expect(image.slice(32, 48)).toEqual([5, 0, 0, 0, 0, 0, 0, 0x80, 0x05, 0x40, 0, 0, 0, 0, 0, 0]);
    expect(image.slice(160 + 16 * 7, 160 + 16 * 8)).toEqual([
      0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0, 0, 0, 0, 7,
    ]);
    expect(image.slice(288).every((byte) => byte === 0xee)).toBe(true);
  });

  it('FXRSTOR brings back what FXSAVE stored, also without CR4.OSFXSR', () => {
    m.setState('cr4', 0);
    fillState();
    const before = guestState();
    expect(m.run(...fxsave)).toBe(NO_EXCEPTION);
    const fields = ['fcw', 'fsw', 'ftag', 'fop', 'fip', 'fcs', 'fdp', 'fds', 'mxcsr'] as const;
    for (const field of fields) m.setState(field, 0);
    for (let i = 0; i < 8; i++) {
      m.setMmx(i, 0n);
      m.setXmm(i, 0n);
      m.view.setUint16(STATE.fpr + 16 * i + 8, 0, true);
    }
    expect(m.run(...fxrstor)).toBe(NO_EXCEPTION);
    expect(guestState()).toEqual(before);
  });

  it('FXRSTOR derives ES and B, and the always-set bit of the control word', () => {
    m.run(...fxsave);
    m.write(DATA, [0x00, 0x03, 0x3f, 0x00]);
    m.run(...fxrstor);
    expect([m.state('fcw'), m.state('fsw')]).toEqual([0x340, 0x80bf]);
    m.write(DATA, [0xff, 0xff, 0xbf, 0xb8]);
    m.run(...fxrstor);
    expect([m.state('fcw'), m.state('fsw')]).toEqual([0x1f7f, 0x383f]);
  });

  it('refuse unaligned images and reserved MXCSR bits, changing nothing', () => {
    const odd = [(DATA + 8) & 0xff, DATA >> 8];
    expect(m.run(0x0f, 0xae, 0x06, ...odd)).toBe(GP);
    expect(m.run(0x0f, 0xae, 0x0e, ...odd)).toBe(GP);
    fillState();
    m.run(...fxsave);
    m.write32(DATA + 24, 0x1_0000);
    m.setXmm(3, 42n);
    expect(m.run(...fxrstor)).toBe(GP);
    expect(m.xmm(3)).toBe(42n);
    expect(m.state('fop')).toBe(0x7a5);
  });

  it('raise #NM by EM or TS', () => {
    for (const bit of [CR0_EM, CR0_TS]) {
      m.setState('cr0', 0x30 | bit);
      expect(m.run(...fxsave)).toBe(NM);
      expect(m.run(...fxrstor)).toBe(NM);
    }
  });
});

describe('RCPPS and RSQRTPS', () => {
  const LIMIT = 1.5 * 2 ** -12;
  const rcpps = [0x0f, 0x53, 0xc1];
  const rsqrtps = [0x0f, 0x52, 0xc1];

  it('stay within the relative error the architecture allows and raise nothing', () => {
    let seed = 1;
    for (let round = 0; round < 500; round++) {
      const values = [0, 1, 2, 3].map(() => {
        seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
        return Math.fround((1 + ((seed >>> 9) & 0x7fffff) / 2 ** 23) * 2 ** ((round % 250) - 125));
      });
      m.setXmm(1, singles(...values));
      m.run(...rcpps);
      singleLanes(m.xmm(0)).forEach((r, i) => {
        if (1 / values[i] >= 2 ** -126 * (1 + LIMIT)) expect(Math.abs(r * values[i] - 1)).toBeLessThanOrEqual(LIMIT);
      });
      m.run(...rsqrtps);
      singleLanes(m.xmm(0)).forEach((r, i) =>
        expect(Math.abs(r * Math.sqrt(values[i]) - 1)).toBeLessThanOrEqual(LIMIT),
      );
    }
    expect(m.state('mxcsr')).toBe(0x1f80);
  });

  it('treat denormals as zeros, flush tiny results and quiet NaNs', () => {
    m.setXmm(1, singles(1e-40, -1e-40, 2 ** 127, -Infinity));
    m.run(...rcpps);
    expect(singleLanes(m.xmm(0))).toEqual([Infinity, -Infinity, 0, -0]);
    m.setXmm(1, singles(-0, -1, Infinity, 4));
    m.run(...rsqrtps);
    expect(singleLanes(m.xmm(0))).toEqual([-Infinity, NaN, 0, 0.5]);
    expect((m.xmm(0) >> 32n) & 0xffff_ffffn).toBe(0xffc0_0000n);
    m.setXmm(1, 0xff80_0001_7fa0_0005n);
    m.run(...rcpps);
    expect(m.xmm(0) & 0xffff_ffff_ffff_ffffn).toBe(0xffc0_0001_7fe0_0005n);
    expect(m.state('mxcsr')).toBe(0x1f80);
  });
});

describe('hints and fences', () => {
  it('do nothing, even with bad addresses', () => {
    m.setState('cr4', 0);
    const wild = [0x67, 0x0f, 0x18, 0x0d, 0x00, 0x00, 0xff, 0xff];
    expect(m.run(...wild)).toBe(NO_EXCEPTION);
    for (const fence of [0xe8, 0xf0, 0xf8, 0xef]) expect(m.run(0x0f, 0xae, fence)).toBe(NO_EXCEPTION);
    expect(m.run(0x0f, 0xae, 0x3e, ...AT_DATA)).toBe(NO_EXCEPTION);
  });

  it('MOVNTI stores a register without SSE being enabled', () => {
    m.setState('cr4', 0);
    m.view.setUint32(STATE.gpr, 0x1234_5678, true);
    expect(m.run(0x0f, 0xc3, 0x06, ...AT_DATA)).toBe(NO_EXCEPTION);
    expect(m.bytes(DATA, 4)).toEqual([0x78, 0x56, 0x34, 0x12]);
    expect(m.cpu.state.eip).toBeGreaterThan(CODE);
  });
});

describe('transitions between x87 and MMX', () => {
  const enter = (): void => {
    m.setState('fsw', 0x3000);
    m.setState('ftag', 0x80);
  };
  const tops = (): [number, number] => [m.state('fsw'), m.state('ftag')];

  it.each([
    ['MOVQ m64, mm', [0x0f, 0x7f, 0x0e, ...AT_DATA], [0, 0xff]],
    ['PMOVMSKB', [0x0f, 0xd7, 0xc1], [0, 0xff]],
    ['MOVQ2DQ', [0xf3, 0x0f, 0xd6, 0xc1], [0, 0xff]],
    ['MOVDQ2Q', [0xf2, 0x0f, 0xd6, 0xc1], [0, 0xff]],
    ['CVTPI2PD xmm, mm', [0x66, 0x0f, 0x2a, 0xc1], [0, 0xff]],
    ['CVTPI2PD xmm, m64', [0x66, 0x0f, 0x2a, 0x06, ...AT_DATA], [0x3000, 0x80]],
    ['CVTPI2PS xmm, m64', [0x0f, 0x2a, 0x06, ...AT_DATA], [0x3000, 0x80]],
    ['PADDD xmm', [0x66, 0x0f, 0xfe, 0xc1], [0x3000, 0x80]],
    ['EMMS', [0x0f, 0x77], [0, 0]],
  ])('%s', (_name, code, expected) => {
    enter();
    expect(m.run(...code)).toBe(NO_EXCEPTION);
    expect(tops()).toEqual(expected);
  });

  it('a faulting MMX store leaves the x87 state alone', () => {
    enter();
    expect(m.run(0x67, 0x0f, 0x7f, 0x0d, 0, 0, 1, 0)).toBe(GP);
    expect(tops()).toEqual([0x3000, 0x80]);
  });
});
