/** xorshift; deterministic. */
export function generator(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
const SHORT_FRACTIONS = 5;

/** A number with `exponentBits` and `fractionBits`, often at an edge, or with an exponent near that of `near`. */
export function operand(next: () => number, exponentBits: number, fractionBits: number, near: bigint): bigint {
  const largest = (1n << BigInt(exponentBits)) - 1n;
  const ones = (1n << BigInt(fractionBits)) - 1n;
  let fraction = ((BigInt(next()) << 32n) | BigInt(next())) & ones;
  switch (next() % SHORT_FRACTIONS) {
    case 0:
      fraction = 0n;
      break;
    case 1:
      fraction = (fraction >> BigInt(next() % fractionBits)) << BigInt(next() % fractionBits);
      break;
    case 2:
      fraction = ones - BigInt(next() % 3);
      break;
    case 3:
      fraction = BigInt(next() % 4);
      break;
  }
  let exponent = ((near >> BigInt(fractionBits)) & largest) + BigInt((next() % 120) - 60);
  switch (next() % 6) {
    case 0:
      exponent = BigInt(next()) % largest;
      break;
    case 1:
      exponent = largest / 2n + BigInt((next() % 16) - 8);
      break;
    case 2:
      exponent = next() % 2 ? BigInt(next() % 60) : largest - BigInt(next() % 60);
      break;
  }
  if (exponent < 0n) exponent = 0n;
  if (exponent > largest) exponent = largest;
  const sign = BigInt(next() & 1) << BigInt(exponentBits + fractionBits);
  return sign | (exponent << BigInt(fractionBits)) | (fraction & ones);
}
