/** Inclusive range of code points. */
export type CodeRange = readonly [from: number, to: number];

/** A set of code points, possibly given by what is not in it. */
export class CharacterSet {
  constructor(
    readonly ranges: readonly CodeRange[],
    readonly negated = false,
  ) {}

  has(point: number): boolean {
    return this.ranges.some(([from, to]) => from <= point && point <= to) !== this.negated;
  }
}

const LAST_POINT = 0x10ffff;

/** The ranges of everything outside `ranges`, which are sorted and do not overlap. */
function outside(ranges: readonly CodeRange[]): CodeRange[] {
  const rest: CodeRange[] = [];
  let next = 0;
  for (const [from, to] of ranges) {
    if (next < from) rest.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST_POINT) rest.push([next, LAST_POINT]);
  return rest;
}

const DIGIT: readonly CodeRange[] = [[0x30, 0x39]];
const WORD: readonly CodeRange[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
/** ECMAScript's WhiteSpace and LineTerminator. */
const SPACE: readonly CodeRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

/** What \d, \w, \s and their opposites stand for. */
export const ESCAPED_SETS: Readonly<Record<string, readonly CodeRange[]>> = {
  d: DIGIT,
  D: outside(DIGIT),
  w: WORD,
  W: outside(WORD),
  s: SPACE,
  S: outside(SPACE),
};

/** What a dot matches: all but ECMAScript's LineTerminator. */
export const DOT = new CharacterSet(
  [
    [0x0a, 0x0a],
    [0x0d, 0x0d],
    [0x2028, 0x2029],
  ],
  true,
);
