import { assert } from '../../base/assert.js';

/** Where an operand's value is named in an op record, and what it is. Notation: isa/instruction.ts. */
export interface OperandSpec {
  readonly source: 'rm' | 'reg' | 'opcode' | 'immediate' | 'relative' | 'farPointer' | 'offset' | 'fixed';
  readonly file: 'gpr' | 'segment' | 'control' | 'debug' | 'mmx' | 'xmm' | 'st' | 'memory' | 'constant';
  /** Bits in the register form, by operand size 16 and 32. */
  readonly width: readonly [number, number];
  /** Bits in the memory form. */
  readonly memoryWidth: readonly [number, number];
  /** ModRM forms allowed. */
  readonly modrm: 'any' | 'register' | 'memory' | 'none';
  /** Encoded immediate bytes, by operand size. */
  readonly immediateBytes: readonly [number, number];
  readonly signExtend: boolean;
  /** Register number or value of a fixed operand. */
  readonly fixed: number;
}

type Partial_ = Partial<Omit<OperandSpec, 'width' | 'memoryWidth'>> & {
  width: number | readonly [number, number];
  memoryWidth?: number;
};

function spec(source: OperandSpec['source'], file: OperandSpec['file'], rest: Partial_): OperandSpec {
  const width = typeof rest.width === 'number' ? ([rest.width, rest.width] as const) : rest.width;
  const memoryWidth = rest.memoryWidth === undefined ? width : ([rest.memoryWidth, rest.memoryWidth] as const);
  return {
    source,
    file,
    width,
    memoryWidth,
    modrm: rest.modrm ?? (source === 'rm' ? 'any' : 'none'),
    immediateBytes: rest.immediateBytes ?? [0, 0],
    signExtend: rest.signExtend ?? false,
    fixed: rest.fixed ?? 0,
  };
}

const V = [16, 32] as const;
const SIZE: Record<string, number | readonly [number, number]> = {
  b: 8,
  w: 16,
  d: 32,
  v: V,
  z: V,
  q: 64,
  t: 80,
  dq: 128,
  '': 0,
  p: V,
};

function build(): Map<string, OperandSpec> {
  const map = new Map<string, OperandSpec>();
  for (const s of ['b', 'w', 'd', 'v']) {
    map.set(`E${s}`, spec('rm', 'gpr', { width: SIZE[s] }));
    map.set(`G${s}`, spec('reg', 'gpr', { width: SIZE[s] }));
    map.set(`R${s}`, spec('rm', 'gpr', { width: SIZE[s], modrm: 'register' }));
    map.set(`Z${s}`, spec('opcode', 'gpr', { width: SIZE[s] }));
    map.set(`O${s}`, spec('offset', 'memory', { width: SIZE[s] }));
  }
  // The low 16 bits of a register of operand size, or a 16-bit memory operand (MOV r/m, Sreg; SLDT; SMSW...).
  map.set('Rv/Mw', spec('rm', 'gpr', { width: V, memoryWidth: 16 }));
  map.set('Rd/Mw', spec('rm', 'gpr', { width: 32, memoryWidth: 16 }));
  map.set('Rd/Mb', spec('rm', 'gpr', { width: 32, memoryWidth: 8 }));
  for (const s of ['b', 'w', 'd', 'v', 'q', 't', 'dq', 'p', '']) {
    map.set(`M${s}`, spec('rm', 'memory', { width: SIZE[s], modrm: 'memory' }));
  }
  map.set('Ib', spec('immediate', 'constant', { width: 8, immediateBytes: [1, 1] }));
  map.set('sIb', spec('immediate', 'constant', { width: V, immediateBytes: [1, 1], signExtend: true }));
  map.set('Iw', spec('immediate', 'constant', { width: 16, immediateBytes: [2, 2] }));
  map.set('Id', spec('immediate', 'constant', { width: 32, immediateBytes: [4, 4] }));
  for (const s of ['Iz', 'Iv']) map.set(s, spec('immediate', 'constant', { width: V, immediateBytes: [2, 4] }));
  map.set('Jb', spec('relative', 'constant', { width: V, immediateBytes: [1, 1], signExtend: true }));
  map.set('Jz', spec('relative', 'constant', { width: V, immediateBytes: [2, 4], signExtend: true }));
  map.set('Ap', spec('farPointer', 'constant', { width: V, immediateBytes: [4, 6] }));
  map.set('Sw', spec('reg', 'segment', { width: 16 }));
  map.set('Cd', spec('reg', 'control', { width: 32 }));
  map.set('Dd', spec('reg', 'debug', { width: 32 }));
  map.set('1', spec('fixed', 'constant', { width: 8, fixed: 1 }));
  map.set('3', spec('fixed', 'constant', { width: 8, fixed: 3 }));
  ['AL', 'CL', 'DL', 'BL', 'AH', 'CH', 'DH', 'BH'].forEach((n, i) =>
    map.set(n, spec('fixed', 'gpr', { width: 8, fixed: i })),
  );
  ['AX', 'CX', 'DX', 'BX', 'SP', 'BP', 'SI', 'DI'].forEach((n, i) => {
    map.set(n, spec('fixed', 'gpr', { width: 16, fixed: i }));
    map.set(`E${n}`, spec('fixed', 'gpr', { width: 32, fixed: i }));
    map.set(`e${n}`, spec('fixed', 'gpr', { width: V, fixed: i }));
  });
  ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].forEach((n, i) => map.set(n, spec('fixed', 'segment', { width: 16, fixed: i })));
  map.set('Pq', spec('reg', 'mmx', { width: 64 }));
  map.set('Qq', spec('rm', 'mmx', { width: 64 }));
  map.set('Qd', spec('rm', 'mmx', { width: 64, memoryWidth: 32 }));
  map.set('Nq', spec('rm', 'mmx', { width: 64, modrm: 'register' }));
  map.set('Vdq', spec('reg', 'xmm', { width: 128 }));
  map.set('Wdq', spec('rm', 'xmm', { width: 128 }));
  map.set('Wq', spec('rm', 'xmm', { width: 128, memoryWidth: 64 }));
  map.set('Wd', spec('rm', 'xmm', { width: 128, memoryWidth: 32 }));
  map.set('Ww', spec('rm', 'xmm', { width: 128, memoryWidth: 16 }));
  map.set('Udq', spec('rm', 'xmm', { width: 128, modrm: 'register' }));
  map.set('ST', spec('fixed', 'st', { width: 80, fixed: 0 }));
  map.set('STi', spec('rm', 'st', { width: 80, modrm: 'register' }));
  return map;
}

const NOTATION = build();

/** Parses `Eb, Gb`. */
export function parseOperands(text: string): OperandSpec[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part) => {
    const found = NOTATION.get(part.trim());
    assert(found !== undefined, `unknown operand notation ${part}`);
    return found;
  });
}
