import { gzipSync } from 'node:zlib';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare } from '../../../src/cli/vectors/compare.js';
import { describeFailure, runVectors } from '../../../src/cli/vectors/run.js';
import type { FinalState, Vector, VectorTarget } from '../../../src/cli/vectors/vector.js';
import { parseVector, parseVectors, scratchPage } from '../../../src/cli/vectors/vector.js';
import { readTextFile } from '../../../src/host/text-file.js';

const REGISTERS = [1, 2, 3, 4, 5, 6, 7, 8];
const ZERO10 = '00'.repeat(10);
const ONE10 = '0000000000000080ff3f';

function vector(extra: object = {}): Vector {
  const line = { i: 7, b: '90f4', r: REGISTERS, f: 0x202, ms: 1, R: REGISTERS, F: 0x202, ip: 1, n: 1, ...extra };
  return parseVector(JSON.stringify(line), 'test');
}

/** The end that the vector expects, changed. */
function ending(v: Vector, changes: Partial<FinalState> = {}): FinalState {
  return { ...v.expected, memory: v.expected.memory.slice(), ...changes };
}

const fields = (v: Vector, end: FinalState): string[] => compare(v, end).map((d) => d.field);

describe('a vector line', () => {
  it('fills the scratch page by xorshift, the seed itself left out', () => {
    const page = new DataView(scratchPage(1).buffer);
    // 1 -> 1 ^ 1<<13 = 2001h; >>17: 0; ^ <<5: 2001h ^ 40020h
    expect(page.getUint32(0, true)).toBe(0x2001 ^ (0x2001 << 5));
    expect(scratchPage(0x80000001)).toHaveLength(4096);
  });

  it('applies the patches before, and the changes after', () => {
    const v = vector({ m: [[16, 'aabb']], M: [[17, 'cc']] });
    expect([...v.initial.memory.subarray(16, 18)]).toEqual([0xaa, 0xbb]);
    expect([...v.expected.memory.subarray(16, 18)]).toEqual([0xaa, 0xcc]);
  });

  it('starts with a reset x87 and SSE unless it says otherwise', () => {
    const { fp, x } = vector().initial;
    expect([fp.cw, fp.sw, fp.tw, fp.st.length]).toEqual([0x37f, 0, 0, 8]);
    expect([x.mxcsr, x.xmm.length]).toEqual([0x1f80, 8]);
  });

  it.each([
    ['not JSON', '{"i":'],
    ['no object', 'null'],
    ['fields missing', '{"i":1,"b":"90"}'],
  ])('that is broken (%s) is refused with its place', (_name, text) => {
    expect(() => parseVectors(`\n${text}\n`, 'file.jsonl')).toThrow(expect.objectContaining({ where: 'file.jsonl:2' }));
  });
});

describe('the comparison', () => {
  it('finds nothing when nothing differs', () => {
    const v = vector();
    expect(compare(v, ending(v))).toEqual([]);
  });

  it('names registers, EIP, exceptions and runs of memory', () => {
    const v = vector({ M: [[256, '010203']] });
    const memory = v.expected.memory.slice();
    memory[257] ^= 0xff;
    memory[400] ^= 0xff;
    const end = ending(v, { r: [1, 2, 3, 4, 5, 6, 7, 9], ip: 0, e: 14, ec: 6, cr2: 0x1000, memory });
    expect(fields(v, end)).toEqual(['edi', 'ip', 'exception', 'error code', 'cr2', 'memory+0101', 'memory+0190']);
  });

  it('tells exception 0 from none', () => {
    const v = vector({ e: 0 });
    expect(fields(v, ending(v, { e: undefined }))).toEqual(['exception']);
  });

  it('ignores RF and the flags in uf, and no others', () => {
    const v = vector({ uf: 0x10 });
    expect(fields(v, ending(v, { f: 0x202 | 0x10000 | 0x10 }))).toEqual([]);
    expect(fields(v, ending(v, { f: 0x203 }))).toEqual(['flags']);
  });

  it('ignores status bits in fu and the contents of empty registers', () => {
    // TOP = 7: ST0 is physical register 7.
    const fp = { cw: 0x37f, sw: 0x3800, tw: 0x80, st: [ONE10, ...new Array<string>(7).fill(ZERO10)] };
    const v = vector({ FP: fp, fu: 0x4700 });
    expect(fields(v, ending(v, { fp: { ...fp, sw: 0x7f00, st: new Array<string>(8).fill(ONE10) } }))).toEqual([]);
    expect(fields(v, ending(v, { fp: { ...fp, sw: 0x3801, st: new Array<string>(8).fill(ZERO10) } }))).toEqual([
      'sw',
      'st0',
    ]);
    expect(fields(v, ending(v, { fp: undefined }))).toEqual(['fp']);
  });

  it('lets tolerant results differ by two units in the last place, across a power of two as well', () => {
    const below = 'feffffffffffffff' + 'fe3f';
    const fp = { cw: 0x37f, sw: 0, tw: 1, st: [ONE10, ...new Array<string>(7).fill(ZERO10)] };
    const tolerant = vector({ FP: fp, tol: 1 });
    const other = (st0: string): FinalState => ending(tolerant, { fp: { ...fp, st: [st0, ...fp.st.slice(1)] } });
    expect(fields(tolerant, other('0200000000000080ff3f'))).toEqual([]);
    expect(fields(tolerant, other(below))).toEqual([]);
    expect(fields(tolerant, other('0300000000000080ff3f'))).toEqual(['st0']);
    expect(fields(tolerant, other('0000000000000080ffbf'))).toEqual(['st0']);
    expect(fields(vector({ FP: fp }), other('0100000000000080ff3f'))).toEqual(['st0']);
  });

  it('compares SSE registers exactly', () => {
    const x = { mxcsr: 0x1f80, xmm: new Array<string>(8).fill('00'.repeat(16)) };
    const v = vector({ X: x });
    const changed = { mxcsr: 0x1fa0, xmm: x.xmm.map((value, i) => (i === 5 ? '01' + value.slice(2) : value)) };
    expect(fields(v, ending(v, { x: changed }))).toEqual(['mxcsr', 'xmm5']);
  });
});

describe('a run', () => {
  it('reports failures by index and code, and goes on after a target that throws', () => {
    let loaded: Vector;
    const target: VectorTarget = {
      load: (v) => void (loaded = v),
      run: () => {
        if (loaded.index === 2) throw new Error('no such instruction');
        return ending(loaded, loaded.index === 3 ? { ip: 9 } : {});
      },
    };
    const failures = runVectors(target, [vector({ i: 1 }), vector({ i: 2 }), vector({ i: 3 })]);
    expect(failures.map(describeFailure)).toEqual([
      '#2 90f4: run is no such instruction, should be an end',
      '#3 90f4: ip is 9, should be 1',
    ]);
  });

  it('reads plain and compressed files, and says which file is damaged', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
    try {
      const plain = join(folder, 'a.jsonl');
      const packed = join(folder, 'a.jsonl.gz');
      const broken = join(folder, 'b.jsonl.gz');
      writeFileSync(plain, 'text');
      writeFileSync(packed, gzipSync('text'));
      writeFileSync(broken, 'text');
      expect([readTextFile(plain), readTextFile(packed)]).toEqual(['text', 'text']);
      expect(() => readTextFile(broken)).toThrow(expect.objectContaining({ code: 'DAMAGED', where: broken }));
      expect(() => readTextFile(join(folder, 'c'))).toThrow(expect.objectContaining({ code: 'HOST_IO' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
