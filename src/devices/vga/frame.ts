/** The picture that a monitor would show: a function of registers, video memory and the phase of blinking. */
import { DISPI, hasWideDac, isVbeOn, vbeLineBytes, vbeStart } from './bochs-vbe.js';
import { crtcStart, lineCompare, visibleLines, type VgaState } from './registers.js';
import { cellAt, cellHeight, textColumns, textCursor, textRows } from './text.js';
import type { Vga } from './vga.js';

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, 255 for each pixel, row by row. */
  readonly rgba: Uint8Array;
}

const OPAQUE = 0xff00_0000;
/** Pictures per half of a period. */
const CURSOR_BLINK = 8;
const TEXT_BLINK = 16;
const GLYPH_ROWS = 32;

class Canvas {
  readonly pixels: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.pixels = new Uint32Array(width * height).fill(OPAQUE);
  }

  finish(): Frame {
    return { width: this.width, height: this.height, rgba: new Uint8Array(this.pixels.buffer) };
  }
}

/** The picture of `vga` now. */
export function frameOf(vga: Vga): Frame {
  const { state, videoRam } = vga;
  const isBlank = (state.attributeIndex & 0x20) === 0 || (state.sequencer[1] & 0x20) !== 0;
  if (isVbeOn(state) && state.dispi[DISPI.bpp] !== 4) return vbeFrame(state, videoRam);
  if (vga.isTextMode) return textFrame(state, videoRam, vga.frames, isBlank);
  return graphicsFrame(state, videoRam, isBlank);
}

/** Pixel of a DAC entry. */
function dacColour(state: VgaState, index: number): number {
  const at = 3 * (index & state.dacMask);
  const wide = hasWideDac(state);
  const [r, g, b] = [0, 1, 2].map((i) => {
    const value = state.dac[at + i];
    return wide ? value : (value << 2) | (value >> 4);
  });
  return (OPAQUE | (b << 16) | (g << 8) | r) >>> 0;
}

/** The 16 colours that attributes name, through palette, colour select and DAC. */
function palette16(state: VgaState): Uint32Array {
  const { attribute } = state;
  return Uint32Array.from({ length: 16 }, (_, i) => {
    const entry = attribute[i] & 0x3f;
    const select = attribute[0x14];
    const index =
      (attribute[0x10] & 0x80) !== 0 ? ((select & 0x0f) << 4) | (entry & 0x0f) : ((select & 0x0c) << 4) | entry;
    return dacColour(state, index);
  });
}
function palette256(state: VgaState): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, i) => dacColour(state, i));
}

// ---- text
/** Offsets of the two fonts in plane 2 (sequencer register 3). */
function fontOffsets({ sequencer }: VgaState): readonly [number, number] {
  const select = sequencer[3];
  const offset = (n: number): number => ((n & 3) * 2 + (n >> 2)) * 0x2000;
  const b = (select & 3) | ((select >> 2) & 4);
  const a = ((select >> 2) & 3) | ((select >> 3) & 4);
  return [offset(b), offset(a)];
}

function textFrame(state: VgaState, videoRam: Uint8Array, frames: number, isBlank: boolean): Frame {
  const columns = textColumns(state);
  const rows = textRows(state);
  const height = cellHeight(state);
  const dots = state.sequencer[1] & 1 ? 8 : 9;
  const double = state.sequencer[1] & 8 ? 2 : 1;
  const repeat = state.crtc[9] & 0x80 ? 2 : 1;
  const canvas = new Canvas(columns * dots * double, rows * height * repeat);
  if (isBlank) return canvas.finish();
  const colours = palette16(state);
  const fonts = fontOffsets(state);
  const cursor = textCursor(state);
  const cursorOn = cursor.visible && Math.floor(frames / CURSOR_BLINK) % 2 === 0;
  const [cursorFirst, cursorLast] = [state.crtc[0x0a] & 0x1f, state.crtc[0x0b] & 0x1f];
  const blinks = (state.attribute[0x10] & 8) !== 0;
  const blinkOff = Math.floor(frames / TEXT_BLINK) % 2 === 1;
  const repeatsNinth = (state.attribute[0x10] & 4) !== 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const cell = cellAt(state, row, column);
      const [character, attribute] = [videoRam[cell], videoRam[cell + 1]];
      const font = fonts[(attribute >> 3) & 1];
      let foreground = colours[fonts[0] === fonts[1] ? attribute & 0x0f : attribute & 0x07];
      const background = colours[blinks ? (attribute >> 4) & 7 : attribute >> 4];
      if (blinks && blinkOff && (attribute & 0x80) !== 0) foreground = background;
      const hasCursor = cursorOn && cursor.row === row && cursor.column === column;
      const ninth = repeatsNinth && character >= 0xc0 && character <= 0xdf;
      for (let y = 0; y < height; y++) {
        let bits = videoRam[4 * (font + character * GLYPH_ROWS + y) + 2] << 1;
        if (ninth) bits |= (bits >> 1) & 1;
        if (hasCursor && y >= cursorFirst && y <= cursorLast) bits = 0x1ff;
        for (let copy = 0; copy < repeat; copy++) {
          let at = ((row * height + y) * repeat + copy) * canvas.width + column * dots * double;
          for (let x = 0; x < dots; x++) {
            const colour = (bits >> (8 - x)) & 1 ? foreground : background;
            for (let n = 0; n < double; n++) canvas.pixels[at++] = colour;
          }
        }
      }
    }
  }
  return canvas.finish();
}

// ---- the VGA's graphics modes
/** Takes one dword of the four planes apart into its pixels' colours; returns how many. */
type Unpack = (bytes: Uint8Array, at: number, out: Uint8Array) => number;

function unpack16(planes: number): Unpack {
  return (bytes, at, out) => {
    for (let x = 0; x < 8; x++) {
      let colour = 0;
      for (let plane = 0; plane < 4; plane++) colour |= ((bytes[at + plane] >> (7 - x)) & 1) << plane;
      out[x] = colour & planes;
    }
    return 8;
  };
}
/** CGA's four colours: two bits a pixel, even addresses in planes 0 and 2, odd ones in 1 and 3. */
function unpackCga(planes: number): Unpack {
  return (bytes, at, out) => {
    for (let x = 0; x < 8; x++) {
      const half = x >> 2;
      const shift = 6 - 2 * (x & 3);
      const low = (bytes[at + half] >> shift) & 3;
      const high = (bytes[at + half + 2] >> shift) & 3;
      out[x] = (low | (high << 2)) & planes;
    }
    return 8;
  };
}
const unpack256: Unpack = (bytes, at, out) => {
  for (let x = 0; x < 4; x++) out[x] = bytes[at + x];
  return 4;
};

function graphicsFrame(state: VgaState, videoRam: Uint8Array, isBlank: boolean): Frame {
  const { crtc, attribute, sequencer, graphics } = state;
  const shift = (graphics[5] >> 5) & 3;
  const is256 = (shift & 2) !== 0;
  const double = is256 || (sequencer[1] & 8) !== 0 ? 2 : 1;
  const dwords = crtc[1] + 1;
  const planes = attribute[0x12] & 0x0f;
  const unpack = is256 ? unpack256 : shift === 1 ? unpackCga(planes) : unpack16(planes);
  const pixelsPerDword = is256 ? 4 : 8;
  const canvas = new Canvas(dwords * pixelsPerDword * double, visibleLines(state));
  if (isBlank) return canvas.finish();
  const colours = is256 ? palette256(state) : palette16(state);
  const lineBytes = crtc[0x13] * 8;
  const panning = attribute[0x13] & 0x0f;
  const pan = is256 ? panning >> 1 : panning & 7;
  const bytePan = (crtc[8] >> 5) & 3;
  const repeat = shift === 1 ? (crtc[9] & 0x80 ? 2 : 1) : ((crtc[9] & 0x1f) + 1) * (crtc[9] & 0x80 ? 2 : 1);
  const compare = lineCompare(state);
  /** Lines that share an address: CGA's banks of memory take turns. */
  const interleave = (crtc[0x17] & 3) ^ 3;
  const out = new Uint8Array(8);
  let start = (crtcStart(state) + bytePan) * 4;
  let line = crtc[8] & 0x1f;
  let run = repeat;
  let shiftPixels = pan;
  for (let y = 0; y < canvas.height; y++) {
    let at = start;
    if ((crtc[0x17] & 1) === 0) {
      const bit = 1 << (14 + ((crtc[0x17] >> 6) & 1));
      at = (at & ~bit) | ((line & 1) * bit);
    }
    if ((crtc[0x17] & 2) === 0) at = (at & ~0x8000) | ((line & 2) << 14);
    drawLine(canvas, y, { videoRam, at, unpack, out, colours, double, skip: shiftPixels });
    if (--run === 0) {
      if ((line & interleave) === interleave) start += lineBytes;
      line++;
      run = repeat;
    }
    if (y === compare) {
      start = 0;
      line = 0;
      run = repeat;
      if ((attribute[0x10] & 0x20) !== 0) shiftPixels = 0;
    }
  }
  return canvas.finish();
}

interface Line {
  readonly videoRam: Uint8Array;
  readonly at: number;
  readonly unpack: Unpack;
  readonly out: Uint8Array;
  readonly colours: Uint32Array;
  readonly double: number;
  /** Pixels left out at the left: horizontal panning. */
  readonly skip: number;
}

function drawLine(canvas: Canvas, y: number, { videoRam, at, unpack, out, colours, double, skip }: Line): void {
  const size = videoRam.length;
  let to = y * canvas.width;
  const end = to + canvas.width;
  let left = skip;
  for (let from = at; to < end; from += 4) {
    const count = unpack(videoRam, from % size, out);
    for (let x = 0; x < count && to < end; x++) {
      if (left > 0) {
        left--;
        continue;
      }
      for (let n = 0; n < double && to < end; n++) canvas.pixels[to++] = colours[out[x]];
    }
  }
}

// ---- DISPI modes
function vbeFrame(state: VgaState, videoRam: Uint8Array): Frame {
  const { dispi } = state;
  const bpp = dispi[DISPI.bpp];
  const canvas = new Canvas(dispi[DISPI.xres], dispi[DISPI.yres]);
  const lineBytes = vbeLineBytes(state);
  const start = vbeStart(state);
  const colours = palette256(state);
  const size = videoRam.length;
  const byte = (at: number): number => videoRam[at % size];
  const word = (at: number): number => byte(at) | (byte(at + 1) << 8);
  const wide = (value: number, bits: number): number => Math.floor((value * 255) / ((1 << bits) - 1));
  const rgb = (r: number, g: number, b: number): number => (OPAQUE | (b << 16) | (g << 8) | r) >>> 0;
  const pixel: Record<number, (at: number) => number> = {
    8: (at) => colours[byte(at)],
    15: (at) => rgb(wide((word(at) >> 10) & 31, 5), wide((word(at) >> 5) & 31, 5), wide(word(at) & 31, 5)),
    16: (at) => rgb(wide(word(at) >> 11, 5), wide((word(at) >> 5) & 63, 6), wide(word(at) & 31, 5)),
    24: (at) => rgb(byte(at + 2), byte(at + 1), byte(at)),
    32: (at) => rgb(byte(at + 2), byte(at + 1), byte(at)),
  };
  const read = pixel[bpp];
  const bytes = bpp === 15 ? 2 : bpp / 8;
  for (let y = 0; y < canvas.height; y++) {
    const line = start + y * lineBytes;
    for (let x = 0; x < canvas.width; x++) canvas.pixels[y * canvas.width + x] = read(line + x * bytes);
  }
  return canvas.finish();
}
