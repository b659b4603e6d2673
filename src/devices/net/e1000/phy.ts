/** The PHY behind MDIC: a Marvell 88E1000-family chip with its link up (SDM 317453, section 13.4.9; IEEE 802.3 clause 22). */
import { CAUSE } from './registers.js';

export const PHY_REGISTERS = 32;
const CONTROL = 0;
const CONTROL_RESET = 0x8000;
const CONTROL_LOOPBACK = 0x4000;
const CONTROL_RESTART = 0x0200;
const ADDRESS = 1;
const READ = 2;
const WRITE = 1;
const READY = 0x1000_0000;
const INTERRUPT = 0x2000_0000;
const ERROR = 0x4000_0000;

const POWER_ON: Readonly<Record<number, number>> = {
  0: 0x1140,
  1: 0x796d,
  2: 0x0141,
  3: 0x0c20,
  4: 0x0de1,
  5: 0x41e0,
  6: 0x000d,
  9: 0x0e00,
  10: 0x3c00,
  15: 0x3000,
  16: 0x0360,
  17: 0xac00,
  20: 0x0d60,
};
const WRITABLE = new Set([0, 4, 9, 16, 18, 20, 29, 30]);

export function newPhy(): number[] {
  return Array.from({ length: PHY_REGISTERS }, (_, n) => POWER_ON[n] ?? 0);
}

/** What is sent comes back instead of leaving. */
export function isLoopedBack(phy: readonly number[]): boolean {
  return (phy[CONTROL] & CONTROL_LOOPBACK) !== 0;
}

/** What MDIC reads after a command was written to it, and the interrupt cause that goes with it. */
export function mdic(phy: number[], command: number): { readonly value: number; readonly cause: number } {
  const register = (command >>> 16) & 0x1f;
  const operation = (command >>> 26) & 3;
  let value = (command & ~(READY | ERROR)) >>> 0;
  if (((command >>> 21) & 0x1f) !== ADDRESS) value |= ERROR;
  else if (operation === READ) value = (value & ~0xffff) | phy[register];
  else if (operation === WRITE && WRITABLE.has(register)) {
    const data = command & 0xffff;
    if (register === CONTROL && (data & CONTROL_RESET) !== 0) phy.splice(0, PHY_REGISTERS, ...newPhy());
    else phy[register] = register === CONTROL ? data & ~CONTROL_RESTART : data;
  }
  return { value: (value | READY) >>> 0, cause: (command & INTERRUPT) !== 0 ? CAUSE.MDAC : 0 };
}
