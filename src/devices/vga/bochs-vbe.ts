/**
 * The DISPI interface of Bochs' and QEMU's VGA: modes beyond the VGA's own with a linear frame buffer. Bochs documentation
 * of its VBE display interface; QEMU documentation, docs/specs/standard-vga.
 */
import { isChain4, NEWEST_DISPI, type VgaState } from './registers.js';

export const DISPI = {
  id: 0,
  xres: 1,
  yres: 2,
  bpp: 3,
  enable: 4,
  bank: 5,
  virtualWidth: 6,
  virtualHeight: 7,
  xOffset: 8,
  yOffset: 9,
  videoMemory64K: 10,
} as const;

const ENABLED = 0x01;
const GET_CAPABILITIES = 0x02;
const DAC_8BIT = 0x20;
const KEEP_MEMORY = 0x80;
const FIRST_ID = 0xb0c0;
const DEPTHS = new Set([4, 8, 15, 16, 24, 32]);
const MAX_XRES = 1600;
const MAX_YRES = 1200;
const MAX_BPP = 32;

export function isVbeOn({ dispi }: VgaState): boolean {
  return (dispi[DISPI.enable] & ENABLED) !== 0;
}
export function hasWideDac({ dispi }: VgaState): boolean {
  return (dispi[DISPI.enable] & DAC_8BIT) !== 0;
}
/** Bytes of video memory that a pixel takes; half a byte with 4 bits. */
function bytesPerPixel(bpp: number): number {
  return bpp === 4 ? 0.5 : bpp === 15 ? 2 : bpp / 8;
}
/** Bytes from line to line; in 4-bit modes of all planes together. */
export function vbeLineBytes({ dispi }: VgaState): number {
  return dispi[DISPI.virtualWidth] * bytesPerPixel(dispi[DISPI.bpp]);
}
/** Offset in video memory of the first pixel shown. */
export function vbeStart(state: VgaState): number {
  const { dispi } = state;
  return Math.floor(
    dispi[DISPI.yOffset] * vbeLineBytes(state) + dispi[DISPI.xOffset] * bytesPerPixel(dispi[DISPI.bpp]),
  );
}

export function readDispi(state: VgaState, index: number, videoRamBytes: number): number {
  const { dispi } = state;
  if (index === DISPI.videoMemory64K) return videoRamBytes >>> 16;
  if ((dispi[DISPI.enable] & GET_CAPABILITIES) !== 0) {
    if (index === DISPI.xres) return MAX_XRES;
    if (index === DISPI.yres) return MAX_YRES;
    if (index === DISPI.bpp) return MAX_BPP;
  }
  return dispi[index] ?? 0xffff;
}

/** `clear` fills video memory with zeros. */
export function writeDispi(state: VgaState, value: number, videoRamBytes: number, clear: () => void): void {
  const { dispi, dispiIndex: index } = state;
  switch (index) {
    case DISPI.id:
      if (value >= FIRST_ID && value <= NEWEST_DISPI) dispi[index] = value;
      return;
    case DISPI.xres:
      if (value <= MAX_XRES && value % 8 === 0) dispi[index] = value;
      return;
    case DISPI.yres:
      if (value <= MAX_YRES) dispi[index] = value;
      return;
    case DISPI.bpp:
      if (DEPTHS.has(value === 0 ? 8 : value)) dispi[index] = value === 0 ? 8 : value;
      return;
    case DISPI.bank:
      dispi[index] = value & ((videoRamBytes >>> 16) - 1);
      return;
    case DISPI.enable:
      return enable(state, value, videoRamBytes, clear);
    case DISPI.virtualWidth:
    case DISPI.xOffset:
    case DISPI.yOffset:
      if (!isVbeOn(state)) return;
      if (index !== DISPI.virtualWidth || value >= dispi[DISPI.xres]) dispi[index] = value;
      fitVirtual(state, videoRamBytes);
  }
}

/** As many lines as memory has; the part shown lies inside. */
function fitVirtual(state: VgaState, videoRamBytes: number): void {
  const { dispi } = state;
  const lineBytes = vbeLineBytes(state);
  if (lineBytes * dispi[DISPI.yres] > videoRamBytes) dispi[DISPI.virtualWidth] = dispi[DISPI.xres];
  dispi[DISPI.virtualHeight] = Math.min(0xffff, Math.floor(videoRamBytes / Math.max(1, vbeLineBytes(state))));
  const right = dispi[DISPI.virtualWidth] - dispi[DISPI.xres];
  const bottom = dispi[DISPI.virtualHeight] - dispi[DISPI.yres];
  dispi[DISPI.xOffset] = Math.min(dispi[DISPI.xOffset], Math.max(0, right));
  dispi[DISPI.yOffset] = Math.min(dispi[DISPI.yOffset], Math.max(0, bottom));
}

function enable(state: VgaState, value: number, videoRamBytes: number, clear: () => void): void {
  const { dispi } = state;
  const wasOn = isVbeOn(state);
  const isOn = (value & ENABLED) !== 0;
  dispi[DISPI.bank] = 0;
  if (isOn && !wasOn) {
    if (dispi[DISPI.xres] === 0 || dispi[DISPI.yres] === 0) return;
    if (dispi[DISPI.bpp] === 0) dispi[DISPI.bpp] = 8;
    const bytes = dispi[DISPI.xres] * dispi[DISPI.yres] * bytesPerPixel(dispi[DISPI.bpp]);
    if (bytes > videoRamBytes) return;
    dispi[DISPI.virtualWidth] = dispi[DISPI.xres];
    dispi[DISPI.xOffset] = dispi[DISPI.yOffset] = 0;
    dispi[DISPI.enable] = value & 0xff;
    fitVirtual(state, videoRamBytes);
    if ((value & KEEP_MEMORY) === 0) clear();
    matchVga(state);
    return;
  }
  dispi[DISPI.enable] = value & 0xff;
}

/** The VGA's registers as they would be for such a mode: software looks at them. */
function matchVga(state: VgaState): void {
  const { crtc, graphics, sequencer, dispi } = state;
  const depth = dispi[DISPI.bpp];
  graphics[6] = (graphics[6] & ~0x0c) | 0x05;
  crtc[0x17] |= 3;
  crtc[0x13] = vbeLineBytes(state) >> 3;
  crtc[1] = (dispi[DISPI.xres] >> 3) - 1;
  const last = dispi[DISPI.yres] - 1;
  crtc[0x12] = last & 0xff;
  crtc[7] = (crtc[7] & ~0x42) | ((last >> 7) & 0x02) | ((last >> 3) & 0x40);
  // No line compare, no doubled lines.
  crtc[0x18] = 0xff;
  crtc[7] |= 0x10;
  crtc[9] = (crtc[9] & ~0x9f) | 0x40;
  graphics[5] = (graphics[5] & ~0x60) | (depth === 4 ? 0 : 0x40);
  if (depth === 4) {
    sequencer[1] &= ~8;
    sequencer[4] &= ~8;
  } else if (!isChain4(state)) {
    sequencer[4] |= 8;
    sequencer[2] |= 0x0f;
  }
}
