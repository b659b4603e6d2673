import type { Program, TestMachine } from './program.js';
import { AT, xorshift } from './program.js';

/** Where the functions of a program lie, 1 KiB apart, and the table of their addresses. */
const FUNCTIONS = AT.code + 0x2000;
const FUNCTION_BYTES = 0x400;
const FUNCTION_COUNT = 4;
const TABLE = AT.data + 0x3000;
/** Never mapped. */
const ABSENT = 0x3f_0000;
/** A page whose mapping changes between two others. */
const ALIAS = 0x50_000;

const [EAX, EDX, EBX, ESI, EDI] = [0, 2, 3, 6, 7];
/** Free for values; EBX and EBP point at data, ECX counts. */
const VALUES = [EAX, EDX, ESI, EDI] as const;
const LONGEST_LOOP = 24;

const word = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

/** Writes programs with structure: loops, branches on every condition, calls, and all that makes compiled code leave. */
class Writer {
  /** Addresses of immediate bytes that stores may change. */
  readonly #patches: number[] = [];

  constructor(private readonly draw: () => number) {}

  #pick<T>(list: readonly T[]): T {
    return list[this.draw() % list.length];
  }
  #value(): number {
    return this.#pick(VALUES);
  }
  /** ModRM of [EBX + disp8]. */
  #data(reg: number): number[] {
    return [0x40 | (reg << 3) | EBX, (this.draw() & 0x1f) << 2];
  }

  #arithmetic(): number[] {
    const op = this.draw() % 8;
    const [a, b] = [this.#value(), this.#value()];
    const forms: (() => number[])[] = [
      () => [(op << 3) | 1, 0xc0 | (a << 3) | b],
      () => [(op << 3) | 3, ...this.#data(a)],
      () => [(op << 3) | 1, ...this.#data(a)],
      () => [0x81, 0xc0 | (op << 3) | a, ...word(this.draw())],
      () => [0x83, ...this.#data(op), this.draw() & 255],
      () => [(op << 3) | 0, 0xc0 | (this.#pick([0, 2, 4, 6]) << 3) | this.#pick([0, 2, 4, 6])],
      () => [0x66, (op << 3) | 1, 0xc0 | (a << 3) | b],
      () => [this.#pick([0x40, 0x48]) | a],
      () => [0xf7, 0xc0 | (this.#pick([2, 3, 4, 5]) << 3) | b],
      () => [this.#pick([0xc1, 0xc0]), 0xc0 | (this.#pick([0, 1, 2, 3, 4, 5, 7]) << 3) | a, this.draw() & 31],
      () => [0xd3, 0xc0 | (this.#pick([0, 1, 4, 5, 7]) << 3) | a],
      () => [0x0f, 0xaf, 0xc0 | (a << 3) | b],
      () => [0x0f, this.#pick([0xb6, 0xb7, 0xbe, 0xbf]), ...this.#data(a)],
      () => [0x0f, 0x90 | (this.draw() & 15), 0xc0 | this.#pick([0, 2])],
      () => [0x0f, 0x40 | (this.draw() & 15), 0xc0 | (a << 3) | b],
      () => [0x8d, 0x44 | (a << 3), (2 << 6) | (b << 3) | EBX, this.draw() & 127],
      () => [0x8b, ...this.#data(a)],
      () => [0x89, ...this.#data(a)],
      () => [0x87, ...this.#data(a)],
      () => [0x85, 0xc0 | (a << 3) | b],
      () => [0x0f, this.#pick([0xa3, 0xab, 0xb3, 0xbb]), 0xc0 | (a << 3) | b],
      () => [0x50 | a, 0x58 | b],
      () => [this.#pick([0x9c, 0x9c, 0x60]), 0x83, 0xc4, 0x00].slice(0, 1).concat(0x9d).slice(0, 2),
      () => [this.#pick([0xf5, 0xf8, 0xf9, 0xfc, 0x98, 0x99, 0x9f, 0x9e, 0x27, 0x37])],
    ];
    // PUSHA has no POPF behind it.
    const code = this.#pick(forms)();
    return code[0] === 0x60 ? [0x60, 0x61] : code;
  }

  #unusual(at: number): number[] {
    const forms: (() => number[])[] = [
      // A fault in two bytes: the handlers skip that.
      () => [0x0f, 0x0b],
      () => [0x31, 0xc9, 0xf7, 0xf1],
      () => [0xbe, ...word(ABSENT + (this.draw() & 0xfff)), 0x8b, 0x06],
      () => [0xbf, ...word(ABSENT), 0x89, 0x07],
      // Strings, over the end of a page.
      () => [
        ...[0xbe, ...word(AT.data + (this.draw() & 0xfff)), 0xbf, ...word(AT.data + 0x1800 + (this.draw() & 0x7ff))],
        ...[0xb9, ...word(this.draw() & 63), 0xf3, this.#pick([0xa4, 0xa5, 0xaa, 0xab])],
      ],
      () => [0xbe, ...word(AT.data), 0xbf, ...word(AT.data + 64), 0xb9, ...word(this.draw() & 15), 0xf3, 0xa6],
      // FS, a device, both halves of a page crossing.
      () => [0x64, 0x8b, ...this.#data(this.#value())],
      () => [0x8b, 0x05, ...word(AT.device + (this.draw() & 0xffc))],
      () => [0x89, 0x15, ...word(AT.data + 0xffd)],
      () => [0x8b, 0x0d, ...word(AT.data + 0x1ffe)],
      // A port, interrupts on and off, the time.
      () => [0xb0, this.draw() & 255, 0xe6, 0x81],
      () => [this.#pick([0xfa, 0xfb])],
      () => [0xfb, 0x90],
      () => [0x0f, 0x31],
      // x87 and SSE.
      () => [0xd9, ...this.#data(0), 0xd8, ...this.#data(this.#pick([0, 1, 4, 6])), 0xd9, ...this.#data(3)],
      () => [
        0xf3,
        0x0f,
        0x10,
        ...this.#data(1),
        0xf3,
        0x0f,
        0x58,
        ...this.#data(1),
        0xf3,
        0x0f,
        0x11,
        ...this.#data(1),
      ],
      () => [0x66, 0x0f, 0xef, 0xc9, 0x66, 0x0f, 0x6e, 0xd0, 0x66, 0x0f, 0xfe, 0xca, 0x66, 0x0f, 0x7e, 0xca],
      // The mapping of a page, and its use.
      () => {
        const entry = (this.#pick([0x44, 0x45]) << 12) | 7;
        const use = [this.#pick([0x8b, 0x89]), 0x15, ...word(ALIAS + 4 * (this.draw() & 63))];
        return [
          0xc7,
          0x05,
          ...word(AT.table + 4 * (ALIAS >>> 12)),
          ...word(entry),
          0x0f,
          0x01,
          0x3d,
          ...word(ALIAS),
          ...use,
        ];
      },
      // Code that other code changes.
      () => {
        this.#patches.push(at + 1);
        return [0xb0, this.draw() & 255, 0x00, 0xc2];
      },
      () => (this.#patches.length === 0 ? [0x90] : [0x88, 0x15, ...word(this.#pick(this.#patches))]),
      // Segments.
      () => [0x1e, 0x1f],
      () => [0x8c, 0xd8, 0x8e, 0xe0],
    ];
    return this.#pick(forms)();
  }

  /** `count` statements at `at`. Calls go to functions from `callee` on. */
  statements(at: number, count: number, depth: number, callee: number): number[] {
    const code: number[] = [];
    for (let i = 0; i < count; i++) code.push(...this.#statement(at + code.length, depth, callee));
    return code;
  }

  #statement(at: number, depth: number, callee: number): number[] {
    const kind = this.draw() % 16;
    if (kind < 8) return this.#arithmetic();
    if (kind < 10) return this.#unusual(at);
    if (kind < 12 && depth > 0) {
      // A branch over some statements, or into the middle of two alternatives.
      const then = this.statements(at + 6, 1 + (this.draw() % 3), depth - 1, callee);
      return [0x0f, 0x80 | (this.draw() & 15), ...word(then.length), ...then];
    }
    if (kind < 14 && depth > 0) return this.#loop(at, depth, callee);
    if (callee >= FUNCTION_COUNT) return this.#arithmetic();
    const target = callee + (this.draw() % (FUNCTION_COUNT - callee));
    if (kind === 14) return [0xe8, ...word(FUNCTIONS + target * FUNCTION_BYTES - (at + 5))];
    return [0xff, 0x15, ...word(TABLE + 4 * target)];
  }

  #loop(at: number, depth: number, callee: number): number[] {
    const times = 2 + (this.draw() % LONGEST_LOOP);
    const head = [0x51, 0xb9, ...word(times)];
    // The count is kept on the stack while the body runs.
    const body = [0x51, ...this.statements(at + head.length + 1, 1 + (this.draw() % 4), depth - 1, callee), 0x59];
    const ends: (() => number[])[] = [
      () => [0x49, 0x0f, 0x85, ...word(-(body.length + 7))],
      () =>
        body.length + 2 < 128 ? [0xe2, -(body.length + 2) & 255] : [0x49, 0x0f, 0x85, ...word(-(body.length + 7))],
      () => [0x83, 0xe9, 0x01, 0x0f, 0x87, ...word(-(body.length + 9))],
      () => [0x49, 0x0f, 0x8f, ...word(-(body.length + 7))],
    ];
    return [...head, ...body, ...this.#pick(ends)(), 0x59];
  }
}

const hex = (code: readonly number[]): string => Buffer.from(code).toString('hex');

/** Handler that goes on two bytes further; `hasCode`: behind an error code. */
function skipTwo(hasCode: boolean): string {
  return (hasCode ? '83c404' : '') + '83042402' + 'cf';
}

/** A program in 32-bit code with flat segments, with paging; it ends with HLT, or at its limit. */
export function randomProgram(seed: number): Program {
  const draw = xorshift(Math.imul(seed, 2_654_435_761));
  for (let i = 0; i < 8; i++) draw();
  const writer = new Writer(draw);
  const functions = Array.from({ length: FUNCTION_COUNT }, (_, n) => {
    const at = FUNCTIONS + n * FUNCTION_BYTES;
    for (;;) {
      const code = [...writer.statements(at, 2 + (draw() % 5), 1, n + 1), 0xc3];
      if (code.length <= FUNCTION_BYTES) return code;
    }
  });
  const start = [0xbb, ...word(AT.data), 0x0f, 0x31];
  const main = [...start, ...writer.statements(AT.code + start.length, 12 + (draw() % 16), 3, 0), 0xf4];
  const events: Record<number, (m: TestMachine) => void> = {};
  for (let i = 0; i < 6; i++) events[50 + (draw() % 4000)] = (m) => m.cpu.setInterrupt(true);
  return {
    mode: 'paged',
    code: {},
    eflags: draw() & 1 ? 0x202 : 2,
    limitTicks: 12_000,
    events,
    prepare: (m) => {
      m.bytes(AT.code, hex(main));
      functions.forEach((code, n) => {
        m.bytes(FUNCTIONS + n * FUNCTION_BYTES, hex(code));
        m.ram32(TABLE + 4 * n, FUNCTIONS + n * FUNCTION_BYTES);
      });
      for (let i = 0; i < 0x400; i++) m.ram32(AT.data + 4 * i, Math.imul(i + seed, 0x9e37_79b1));
      m.ram32(AT.table + 4 * (ABSENT >>> 12), 0);
      for (const [vector, hasCode] of [
        [0, false],
        [6, false],
        [14, true],
      ] as const) {
        m.bytes(AT.handlers + 16 * vector, skipTwo(hasCode));
      }
      // INC DWORD [log]; IRET
      m.bytes(AT.handlers + 16 * m.vector, `ff05${hex(word(AT.log))}cf`);
    },
  };
}
