/** A value in the 80-bit format. */
export interface Real {
  readonly significand: bigint;
  readonly signExponent: number;
}

/** What one record of test/fixtures/x87-unmasked starts from. */
export interface Trial {
  readonly opcode: number;
  /** With mod = 11, or mod = 00 and r/m = 000 for an operand in memory. */
  readonly modrm: number;
  readonly control: number;
  readonly status: number;
  /** Abridged. */
  readonly tags: number;
  /** ST(0) and ST(1); the others are zero. */
  readonly registers: readonly [Real, Real];
  readonly memory: Real;
  /** Of CF, PF and ZF. */
  readonly flags: number;
}

const BIAS = 0x3fff;
const TOP_BIT = 1n << 63n;
const PRECISIONS = [0, 2, 3, 3];
const TAGS = [1, 0, 255, 2, 3, 3, 3, 3];

/** Draws the trials in the order in which oracle.c of the fixture does. */
export class TrialGenerator {
  #x: number;

  constructor(seed: number) {
    this.#x = seed;
  }

  #next(): number {
    let x = this.#x;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#x = x;
    return x >>> 0;
  }
  #long(): bigint {
    return (BigInt(this.#next()) << 32n) | BigInt(this.#next());
  }

  #value(): Real {
    let s = this.#long();
    switch (this.#next() % 8) {
      case 0:
        s = 0n;
        break;
      case 1:
        s = (1n << 64n) - 1n - BigInt(this.#next() % 3);
        break;
      case 2:
        s &= ~0xff_ffff_ffffn;
        break;
      case 3:
        s &= ~0x7ffn;
        break;
      case 4:
        s = BigInt(this.#next() % 4);
        break;
    }
    s |= TOP_BIT;
    let e: number;
    switch (this.#next() % 12) {
      case 0:
        e = 0;
        if (this.#next() % 4) s &= TOP_BIT - 1n;
        if (this.#next() % 3 === 0) s = 0n;
        break;
      case 1:
        e = 0x7fff;
        if (this.#next() % 2) s = TOP_BIT;
        break;
      case 2:
        e = 1 + (this.#next() % 66);
        break;
      case 3:
        e = 0x7ffe - (this.#next() % 66);
        break;
      case 4:
        e = this.#next() & 0x7fff;
        if (this.#next() % 4 === 0) s &= TOP_BIT - 1n;
        break;
      case 5:
        e = BIAS - 127 - 24 + (this.#next() % 30);
        break;
      case 6:
        e = BIAS + 127 - 4 + (this.#next() % 8);
        break;
      case 7:
        e = BIAS - 1023 - 53 + (this.#next() % 60);
        break;
      case 8:
        e = BIAS + 1023 - 4 + (this.#next() % 8);
        break;
      case 9:
        e = BIAS + (this.#next() % 70);
        break;
      default:
        e = BIAS - 4 + (this.#next() % 8);
    }
    return { significand: s, signExponent: e | ((this.#next() & 1) << 15) };
  }

  #memory(): Real {
    let m = this.#long();
    switch (this.#next() % 6) {
      case 0:
        m &= 0x800f_ffff_807f_ffffn;
        break;
      case 1:
        m |= 0x7ff0_0000_7f80_0000n;
        break;
      case 2:
        m = 0x7ff0_0000_7f80_0000n;
        break;
      case 3:
        m = 0n;
        break;
      case 4:
        m = (m & 0x800f_ffff_807f_ffffn) | 0x3ff0_0000_3f80_0000n;
        break;
    }
    return { significand: m, signExponent: this.#next() & 0xffff };
  }

  #encoding(): { opcode: number; modrm: number } {
    while (true) {
      const opcode = 0xd8 + (this.#next() % 8);
      let modrm = (this.#next() % 8) << 3;
      if (this.#next() % 2) modrm |= 0xc0;
      if (modrm >= 0xc0) modrm |= this.#next() % (opcode === 0xd9 && modrm >= 0xe0 ? 8 : 3);
      if (isDrawn(opcode, modrm)) return { opcode, modrm };
    }
  }

  draw(): Trial {
    const encoding = this.#encoding();
    const masks = this.#next() % 3 ? this.#next() % 64 : 63;
    const precision = PRECISIONS[this.#next() % 4];
    const rounding = this.#next() % 2 ? 0 : this.#next() % 4;
    const top = this.#next() % 8;
    const control = 0x40 | masks | (precision << 8) | (rounding << 10);
    const status = (top << 11) | (this.#next() & 0x4700);
    const filled = TAGS[this.#next() % 8];
    const tags = ((filled << top) | (filled >> (8 - top))) & 0xff;
    const registers: [Real, Real] = [this.#value(), this.#value()];
    const memory = this.#memory();
    return { ...encoding, control, status, tags, registers, memory, flags: this.#next() & 0x45 };
  }
}

const among = (...bytes: number[]): ((modrm: number) => boolean) => {
  const set = new Set(bytes);
  return (modrm) => set.has(modrm);
};
const D9_FUNCTIONS = among(
  ...[0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee],
  ...[0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xfa, 0xfc, 0xfd],
);

function isDrawn(opcode: number, modrm: number): boolean {
  const digit = (modrm >> 3) & 7;
  if (modrm < 0xc0) {
    switch (opcode) {
      case 0xd9:
        return digit === 0 || digit === 2 || digit === 3;
      case 0xdb:
        return digit !== 4 && digit !== 6;
      case 0xdd:
        return digit < 4;
      default:
        return opcode !== 0xdf || digit !== 4;
    }
  }
  switch (opcode) {
    case 0xd9:
      return modrm < 0xd0 || modrm === 0xd0 || (modrm >= 0xd8 && modrm < 0xe0) || D9_FUNCTIONS(modrm);
    case 0xda:
      return modrm < 0xe0 || modrm === 0xe9;
    case 0xdb:
    case 0xdf:
      return modrm < 0xe0 || (modrm >= 0xe8 && modrm < 0xf8);
    case 0xdd:
      return modrm < 0xf0;
    case 0xde:
      return modrm < 0xd8 || modrm === 0xd9 || modrm >= 0xe0;
    default:
      return true;
  }
}

/** Whether the instruction defines C0, C2 and C3. */
export function definesConditions({ opcode, modrm }: Trial): boolean {
  const digit = (modrm >> 3) & 7;
  const compares = digit === 2 || digit === 3;
  if (modrm < 0xc0) return compares && opcode % 2 === 0;
  switch (opcode) {
    case 0xd8:
    case 0xdc:
    case 0xde:
      return compares;
    case 0xd9:
      return modrm === 0xe4 || modrm === 0xe5;
    case 0xda:
      return modrm === 0xe9;
    case 0xdd:
      return modrm >= 0xe0;
    default:
      return modrm >= 0xe8;
  }
}
