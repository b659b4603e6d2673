import { GUESTREEL } from './guestreel.js';
import { NATIVE } from './native.js';
import { QEMU } from './qemu.js';
import type { System } from './system.js';
import { V86 } from './v86.js';

/** In the order of the tables' columns. */
export const SYSTEMS: readonly System[] = [NATIVE, ...GUESTREEL, V86, ...QEMU];
