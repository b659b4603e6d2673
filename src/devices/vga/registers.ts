/** Registers of the VGA as bytes of its state, and what several parts read out of them. */
import { bool, fixedBytes, list, u16, u8, type StateSchema } from '../../core/state.js';

export interface VgaState {
  config: Uint8Array;
  misc: number;
  feature: number;
  crtcIndex: number;
  crtc: Uint8Array;
  sequencerIndex: number;
  sequencer: Uint8Array;
  graphicsIndex: number;
  graphics: Uint8Array;
  /** Index with bit 5 (palette address source). */
  attributeIndex: number;
  /** Next write to 3C0h is data. */
  attributeData: boolean;
  attribute: Uint8Array;
  dacMask: number;
  dacReadIndex: number;
  dacWriteIndex: number;
  /** Red, green or blue comes next. */
  dacComponent: number;
  /** DAC state register: the last index was for reading. */
  dacReading: boolean;
  /** Components written so far; the palette entry changes with the third. */
  dacPending: Uint8Array;
  dac: Uint8Array;
  /** One byte of each plane, from the last read of planar memory. */
  latches: Uint8Array;
  dispiIndex: number;
  /** By DISPI index. */
  dispi: number[];
}

export const VGA_SCHEMA: StateSchema<VgaState> = {
  config: fixedBytes,
  misc: u8,
  feature: u8,
  crtcIndex: u8,
  crtc: fixedBytes,
  sequencerIndex: u8,
  sequencer: fixedBytes,
  graphicsIndex: u8,
  graphics: fixedBytes,
  attributeIndex: u8,
  attributeData: bool,
  attribute: fixedBytes,
  dacMask: u8,
  dacReadIndex: u8,
  dacWriteIndex: u8,
  dacComponent: u8,
  dacReading: bool,
  dacPending: fixedBytes,
  dac: fixedBytes,
  latches: fixedBytes,
  dispiIndex: u16,
  dispi: list(u16),
};

/** Registers of mode 3 (80 x 25 characters, 9 x 16 dots), Technical Reference, "Video mode register values". */
const MODE3 = {
  misc: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  // prettier-ignore
  crtc: [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff],
  // prettier-ignore
  attribute: [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
    0x0c, 0x00, 0x0f, 0x08, 0x00,
  ],
} as const;

/** EGA colours for indices 0-63, black for the rest. */
function defaultDac(): Uint8Array {
  const dac = new Uint8Array(768);
  for (let index = 0; index < 64; index++) {
    [2, 1, 0].forEach((bit, component) => {
      dac[3 * index + component] = ((index >> bit) & 1 ? 42 : 0) + ((index >> (bit + 3)) & 1 ? 21 : 0);
    });
  }
  return dac;
}

/** DISPI registers (bochs-vbe.ts): 16 of them, the first with the interface's version. */
const DISPI_COUNT = 16;
export const NEWEST_DISPI = 0xb0c5;

/** Everything but the configuration space, as firmware leaves it in mode 3. */
export function powerOn(): Omit<VgaState, 'config'> {
  return {
    misc: MODE3.misc,
    feature: 0,
    crtcIndex: 0,
    crtc: Uint8Array.from(MODE3.crtc),
    sequencerIndex: 0,
    sequencer: Uint8Array.from(MODE3.sequencer),
    graphicsIndex: 0,
    graphics: Uint8Array.from(MODE3.graphics),
    attributeIndex: 0x20,
    attributeData: false,
    attribute: Uint8Array.from(MODE3.attribute),
    dacMask: 0xff,
    dacReadIndex: 0,
    dacWriteIndex: 0,
    dacComponent: 0,
    dacReading: false,
    dacPending: new Uint8Array(3),
    dac: defaultDac(),
    latches: new Uint8Array(4),
    dispiIndex: 0,
    dispi: Array.from({ length: DISPI_COUNT }, (_, n) => (n === 0 ? NEWEST_DISPI : 0)),
  };
}

/** Part of A0000h-BFFFFh at which the memory answers (graphics register 6). */
export interface Window {
  readonly base: number;
  readonly sizeBytes: number;
}
const WINDOWS: readonly Window[] = [
  { base: 0xa0000, sizeBytes: 0x20000 },
  { base: 0xa0000, sizeBytes: 0x10000 },
  { base: 0xb0000, sizeBytes: 0x8000 },
  { base: 0xb8000, sizeBytes: 0x8000 },
];
export function windowOf({ graphics }: VgaState): Window {
  return WINDOWS[(graphics[6] >> 2) & 3];
}

/** Sequencer register 4, bit 3: the low address bits choose the plane, so that memory looks linear. */
export function isChain4({ sequencer }: VgaState): boolean {
  return (sequencer[4] & 0x08) !== 0;
}

/** Start of the picture as the CRTC counts, and characters (or dwords) from row to row. */
export function crtcStart({ crtc }: VgaState): number {
  return (crtc[0x0c] << 8) | crtc[0x0d];
}

/** Vertical display end, lines. */
export function visibleLines({ crtc }: VgaState): number {
  return (crtc[0x12] | ((crtc[7] & 0x02) << 7) | ((crtc[7] & 0x40) << 3)) + 1;
}

/** Line at which the picture starts again from the beginning of memory. */
export function lineCompare({ crtc }: VgaState): number {
  return crtc[0x18] | ((crtc[7] & 0x10) << 4) | ((crtc[9] & 0x40) << 3);
}
