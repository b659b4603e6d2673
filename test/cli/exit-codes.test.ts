import { expect, it } from 'vitest';
import { ERROR_CLASSES } from '../../src/base/errors.js';
import { EXIT_CODES, exitCodeOf, guestExitCode } from '../../src/cli/exit-codes.js';

it('every class of error has an exit code of its own', () => {
  const codes = Object.keys(ERROR_CLASSES).map((name) => exitCodeOf(name as keyof typeof ERROR_CLASSES));
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes).not.toContain(0);
  expect(codes).not.toContain(1);
});

it('exit codes never change', () => {
  expect(Object.fromEntries(Object.entries(EXIT_CODES).map(([name, { code }]) => [name, code]))).toEqual({
    OK: 0,
    INTERNAL: 1,
    USAGE: 2,
    DIVERGED: 3,
    DAMAGED: 4,
    VERSION: 5,
    MISSING_IMAGE: 6,
    MISMATCH: 7,
    DENIED: 8,
    STATE: 9,
    CONFIG: 10,
    HOST_IO: 11,
    TRIPLE_FAULT: 12,
    TIMEOUT: 124,
    SIGHUP: 129,
    SIGINT: 130,
    SIGPIPE: 141,
    SIGTERM: 143,
  });
});

it("a guest's exit code keeps its lower seven bits", () => {
  expect([0, 1, 127, 128, 0x1ff, 0xffff_ffff].map(guestExitCode)).toEqual([0, 1, 127, 0, 127, 127]);
});
