/**
 * VGA registers and its text mode. IBM PS/2 Hardware Interface Technical Reference (1988), "Video Subsystem"; FreeVGA
 * register descriptions.
 *
 * NOT implemented: graphics modes, the planes behind A0000h (font loading has no effect, the ROM font is assumed), the
 * effect of the attribute and DAC registers on a picture, panning and split screen, monochrome text at B0000h. Text memory is plain guest RAM at
 * B8000h. The retrace bits have the timing of the 400-line text mode whatever the CRTC says.
 *
 * Usual ports: 3B0h-3DFh.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { cyclesAt, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import { bool, fixedBytes, u8, type StateSchema } from '../core/state.js';
import { codePage437 } from './code-page-437.js';

/** Ports of the block. */
export const VGA_PORT_COUNT = 0x30;
/** Text memory, B8000h-BFFFFh. */
const TEXT_BYTES = 0x8000;

/** Hundredths of a scan line per second at 31.469 kHz, and the shape of a frame in lines and hundredths. */
const POSITION_HZ = 3_146_900;
const LINES_PER_FRAME = 449;
const VISIBLE_LINES = 400;
const VISIBLE_HUNDREDTHS = 80;
const RETRACE_LINE = 412;
const RETRACE_LINES = 2;

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

export interface VgaState {
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
}

export interface VgaOptions {
  readonly clock: Clock;
  /** `length` bytes of guest memory from B8000h + `offset`; both lie within 32 KiB. */
  readonly readTextMemory: (offset: number, length: number) => Uint8Array;
}

export interface VgaCursor {
  readonly row: number;
  readonly column: number;
  readonly visible: boolean;
}

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

function powerOn(): VgaState {
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
  };
}

export class VgaText implements Device<VgaState> {
  readonly kind = 'vga-text';
  readonly version = 1;
  readonly schema: StateSchema<VgaState> = {
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
  };
  readonly state: VgaState = powerOn();
  /** VGA_PORT_COUNT ports from 3B0h. */
  readonly ports: PortHandler;
  readonly #options: VgaOptions;

  constructor(
    readonly id: string,
    options: VgaOptions,
  ) {
    this.#options = options;
    this.ports = bytePorts({
      read: (offset) => this.#read(0x3b0 + offset),
      write: (offset, value) => this.#write(0x3b0 + offset, value),
    });
  }

  reset(): void {
    Object.assign(this.state, powerOn());
  }

  /** The guest shows text, not graphics. */
  get isTextMode(): boolean {
    return (this.state.attribute[0x10] & 1) === 0 && (this.state.graphics[6] & 1) === 0;
  }

  get columns(): number {
    return this.state.crtc[1] + 1;
  }

  get rows(): number {
    const { crtc } = this.state;
    const lines = (crtc[0x12] | ((crtc[7] & 0x02) << 7) | ((crtc[7] & 0x40) << 3)) + 1;
    const lineRepeat = crtc[9] & 0x80 ? 2 : 1;
    return Math.max(1, Math.floor(lines / (((crtc[9] & 0x1f) + 1) * lineRepeat)));
  }

  /** The screen as Unicode: rows joined by newlines, blanks at the ends of rows left out. */
  screenText(): string {
    const { crtc } = this.state;
    const memory = this.#options.readTextMemory(0, TEXT_BYTES);
    const start = this.#word(0x0c);
    const rows: string[] = [];
    for (let row = 0; row < this.rows; row++) {
      let line = '';
      for (let column = 0; column < this.columns; column++) {
        const cell = start + row * crtc[0x13] * 2 + column;
        line += codePage437(memory[(cell * 2) % TEXT_BYTES]);
      }
      rows.push(line.trimEnd());
    }
    return rows.join('\n');
  }

  cursor(): VgaCursor {
    const { crtc } = this.state;
    const stride = crtc[0x13] * 2 || this.columns;
    const cell = (this.#word(0x0e) - this.#word(0x0c) + 0x1_0000) & 0xffff;
    const on = (crtc[0x0a] & 0x20) === 0 && (crtc[0x0a] & 0x1f) <= (crtc[0x0b] & 0x1f);
    const row = Math.floor(cell / stride);
    return { row, column: cell % stride, visible: on && row < this.rows };
  }

  #word(index: number): number {
    return (this.state.crtc[index] << 8) | this.state.crtc[index + 1];
  }

  /** Misc output bit 0 chooses between the monochrome and the colour addresses of CRTC and status. */
  #crtcPort(port: number): number | undefined {
    const own = (this.state.misc & 1) !== 0 ? 0x3d0 : 0x3b0;
    return (port & 0xff0) === own ? port & 0x0f : undefined;
  }

  #read(port: number): number {
    const { state } = this;
    switch (port) {
      case 0x3c0:
        return state.attributeIndex;
      case 0x3c1:
        return state.attribute[state.attributeIndex & 0x1f] ?? 0;
      case 0x3c2: // input status 0: the monitor's switch sense, as for a colour display
        return 0x10;
      case 0x3c4:
        return state.sequencerIndex;
      case 0x3c5:
        return state.sequencer[state.sequencerIndex] ?? 0;
      case 0x3c6:
        return state.dacMask;
      case 0x3c7:
        return state.dacReading ? 3 : 0;
      case 0x3c8:
        return state.dacWriteIndex;
      case 0x3c9:
        return this.#readDac();
      case 0x3ca:
        return state.feature;
      case 0x3cc:
        return state.misc;
      case 0x3ce:
        return state.graphicsIndex;
      case 0x3cf:
        return state.graphics[state.graphicsIndex] ?? 0;
    }
    switch (this.#crtcPort(port)) {
      case 0x4:
        return state.crtcIndex;
      case 0x5:
        return state.crtc[state.crtcIndex] ?? 0;
      case 0xa:
        state.attributeData = false;
        return this.#inputStatus1();
      default:
        return 0xff;
    }
  }

  /** Bit 0: not displaying; bit 3: vertical retrace. */
  #inputStatus1(): number {
    const { clock } = this.#options;
    const position = cyclesAt(clock.now, clock.nsPerTick, POSITION_HZ);
    const line = Math.floor(position / 100) % LINES_PER_FRAME;
    const blank = line >= VISIBLE_LINES || position % 100 >= VISIBLE_HUNDREDTHS;
    const retrace = line >= RETRACE_LINE && line < RETRACE_LINE + RETRACE_LINES;
    return (blank ? 0x01 : 0) | (retrace ? 0x08 : 0);
  }

  #readDac(): number {
    const { state } = this;
    const value = state.dac[3 * state.dacReadIndex + state.dacComponent];
    if (++state.dacComponent === 3) {
      state.dacComponent = 0;
      state.dacReadIndex = (state.dacReadIndex + 1) & 0xff;
    }
    return value;
  }

  #writeDac(value: number): void {
    const { state } = this;
    state.dacPending[state.dacComponent] = value & 0x3f;
    if (++state.dacComponent < 3) return;
    state.dac.set(state.dacPending, 3 * state.dacWriteIndex);
    state.dacComponent = 0;
    state.dacWriteIndex = (state.dacWriteIndex + 1) & 0xff;
  }

  #write(port: number, value: number): void {
    const { state } = this;
    switch (port) {
      case 0x3c0:
        return this.#writeAttribute(value);
      case 0x3c2:
        state.misc = value;
        return;
      case 0x3c4:
        state.sequencerIndex = value & 7;
        return;
      case 0x3c5:
        // Stores beyond the array are dropped by it.
        state.sequencer[state.sequencerIndex] = value;
        return;
      case 0x3c6:
        state.dacMask = value;
        return;
      case 0x3c7:
        Object.assign(state, { dacReadIndex: value, dacComponent: 0, dacReading: true });
        return;
      case 0x3c8:
        Object.assign(state, { dacWriteIndex: value, dacComponent: 0, dacReading: false });
        return;
      case 0x3c9:
        return this.#writeDac(value);
      case 0x3ce:
        state.graphicsIndex = value & 15;
        return;
      case 0x3cf:
        state.graphics[state.graphicsIndex] = value;
        return;
    }
    switch (this.#crtcPort(port)) {
      case 0x4:
        state.crtcIndex = value & 0x3f;
        return;
      case 0x5:
        return this.#writeCrtc(state.crtcIndex, value);
      case 0xa:
        state.feature = value;
        return;
    }
  }

  #writeCrtc(index: number, value: number): void {
    const { crtc } = this.state;
    // Register 11h bit 7 protects 0-7, except the line compare bit in 7.
    if (index < 8 && (crtc[0x11] & 0x80) !== 0) {
      if (index === 7) crtc[7] = (crtc[7] & ~0x10) | (value & 0x10);
      return;
    }
    crtc[index] = value;
  }

  #writeAttribute(value: number): void {
    const { state } = this;
    if (!state.attributeData) {
      state.attributeIndex = value & 0x3f;
    } else {
      const index = state.attributeIndex & 0x1f;
      // The palette (0-15) can be written only while its address source is the CPU.
      if (index >= 16 || (state.attributeIndex & 0x20) === 0)
        state.attribute[index] = value & (index < 16 ? 0x3f : 0xff);
    }
    state.attributeData = !state.attributeData;
  }
}
