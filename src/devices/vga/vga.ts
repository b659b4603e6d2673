/**
 * VGA with the DISPI extension, QEMU's "standard VGA". IBM PS/2 Hardware Interface Technical Reference (1988), "Video
 * Subsystem"; FreeVGA register descriptions; QEMU documentation, docs/specs/standard-vga.
 *
 * NOT implemented: the interrupt of the vertical retrace, EDID, stereo and hercules modes, light pen. Chain-4 and DISPI
 * modes share one linear layout of memory, as in QEMU.
 *
 * Usual ports: 3B0h-3DFh, and 1CEh-1D0h for DISPI. PCI: BAR0 is the linear frame buffer, BAR2 has the registers again.
 */
import { bytePorts, type DeviceMemory, type MmioHandler, type PortHandler } from '../../core/bus.js';
import { cyclesAt, tickOfCycle, type Clock, type Tick } from '../../core/clock.js';
import type { Device } from '../../core/device.js';
import { PciConfigSpace, type PciBar, type PciFunction } from '../pci/config-space.js';
import { DISPI, hasWideDac, isVbeOn, readDispi, writeDispi } from './bochs-vbe.js';
import { PlanarMemory } from './planes.js';
import { isChain4, powerOn, VGA_SCHEMA, windowOf, type VgaState } from './registers.js';
import { screenText, textColumns, textCursor, textRows, type VgaCursor } from './text.js';

/** Ports of the block. */
export const VGA_PORT_COUNT = 0x30;
export const DISPI_PORT_COUNT = 3;
const WINDOW_START = 0xa0000;
const PAGE_BYTES = 4096;
const WINDOW_PAGES = 32;
/** Where the registers lie in BAR2. */
const BAR2_VGA = 0x400;
const BAR2_DISPI = 0x500;
const BAR2_BYTES = 0x1000;
/** Glyphs have room for 32 rows. */
const GLYPH_ROWS = 32;

/** Hundredths of a scan line per second at 31.469 kHz, and the shape of a frame in lines and hundredths. */
const POSITION_HZ = 3_146_900;
const VISIBLE_HUNDREDTHS = 80;

export interface VgaOptions {
  readonly clock: Clock;
  readonly videoRam: DeviceMemory;
  /** Offset of video memory, and of the expansion ROM if there is one, in the machine's device memory. */
  readonly videoRamOffset: number;
  readonly rom?: { readonly sizeBytes: number; readonly deviceMemory: number };
  /** Where in video memory each page of A0000h-BFFFFh lies; null: accesses come to `window`. */
  readonly onWindow: (offsets: readonly (number | null)[]) => void;
}

export class Vga implements Device<VgaState>, PciFunction {
  readonly kind = 'vga';
  readonly version = 1;
  readonly schema = VGA_SCHEMA;
  readonly state: VgaState;
  readonly config: PciConfigSpace;
  /** VGA_PORT_COUNT ports from 3B0h. */
  readonly ports: PortHandler;
  /** DISPI_PORT_COUNT ports from 1CEh: index, data at 1CFh and 1D0h. */
  readonly dispiPorts: PortHandler;
  /** A0000h-BFFFFh. */
  readonly window: MmioHandler;
  readonly #options: VgaOptions;
  /** Where the direct window lay when it was announced last; -1: nowhere, -2: not announced. */
  #announced = -2;

  constructor(
    readonly id: string,
    options: VgaOptions,
  ) {
    this.#options = options;
    const { videoRam, videoRamOffset, rom } = options;
    this.ports = bytePorts({
      read: (offset) => this.#read(0x3b0 + offset),
      write: (offset, value) => {
        this.#write(0x3b0 + offset, value);
        this.#announce();
      },
      steadyUntil: (offset) => (this.#crtcPort(0x3b0 + offset) === 0xa ? this.#inputStatus1End() : 0),
    });
    this.dispiPorts = {
      read: (offset) => (offset === 0 ? this.state.dispiIndex : this.#readDispi(this.state.dispiIndex)),
      write: (offset, value) => {
        if (offset === 0) this.state.dispiIndex = value & 0xffff;
        else this.#writeDispi(value & 0xffff);
      },
    };
    const frameBuffer: PciBar = {
      index: 0,
      space: 'memory',
      sizeBytes: videoRam.bytes.length,
      prefetchable: true,
      handler: null,
      deviceMemory: videoRamOffset,
    };
    const registers: PciBar = { index: 2, space: 'memory', sizeBytes: BAR2_BYTES, handler: this.#registerWindow() };
    this.config = new PciConfigSpace({
      vendorId: 0x1234,
      deviceId: 0x1111,
      revisionId: 2,
      classCode: 0x030000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      bars: [frameBuffer, registers],
      ...(rom === undefined ? {} : { rom }),
    });
    this.state = { config: this.config.bytes, ...powerOn() };
    const planar = new PlanarMemory(this.state, videoRam, () => this.#bank);
    this.window = bytePorts({
      read: (offset) => planar.read(WINDOW_START + offset),
      write: (offset, value) => planar.write(WINDOW_START + offset, value),
    });
    this.#announce();
  }

  reset(): void {
    this.config.reset();
    Object.assign(this.state, powerOn());
    this.#announce();
  }

  restored(): void {
    this.#announce();
  }

  /** As firmware leaves it in text mode: `font` has 256 glyphs of 16 rows. */
  loadFont(font: Uint8Array): void {
    const { videoRam } = this.#options;
    videoRam.willWrite(0, 4 * 256 * GLYPH_ROWS);
    for (let glyph = 0; glyph < 256; glyph++) {
      for (let row = 0; row < 16; row++) videoRam.bytes[4 * (glyph * GLYPH_ROWS + row) + 2] = font[glyph * 16 + row];
    }
  }

  // ---- what is on the screen
  /** The guest shows text, not graphics. */
  get isTextMode(): boolean {
    return (this.state.attribute[0x10] & 1) === 0 && (this.state.graphics[6] & 1) === 0 && !isVbeOn(this.state);
  }
  get columns(): number {
    return textColumns(this.state);
  }
  get rows(): number {
    return textRows(this.state);
  }
  get videoRam(): Uint8Array {
    return this.#options.videoRam.bytes;
  }
  /** The screen as Unicode: rows joined by newlines, blanks at the ends of rows left out. Empty in graphics modes. */
  screenText(): string {
    if (!this.isTextMode) return '';
    return screenText(this.state, this.videoRam);
  }
  cursor(): VgaCursor {
    return textCursor(this.state);
  }
  /** Seconds of guest time in units of the picture: what blinks depends on it. */
  get frames(): number {
    const { clock } = this.#options;
    return Math.floor(cyclesAt(clock.now, clock.nsPerTick, POSITION_HZ) / 100 / this.#linesPerFrame);
  }

  // ---- memory
  get #bank(): number {
    return isVbeOn(this.state) ? this.state.dispi[DISPI.bank] << 16 : 0;
  }

  /** Offset in video memory that A0000h shows directly, -1 where every access has to be looked at. */
  get #directOffset(): number {
    const { state } = this;
    const isLinear = isChain4(state) && (state.sequencer[2] & 0x0f) === 0x0f && (state.misc & 2) !== 0;
    return isLinear && windowOf(state).base === WINDOW_START ? this.#bank : -1;
  }

  #announce(): void {
    const offset = this.#directOffset;
    const { sizeBytes } = windowOf(this.state);
    const key = offset < 0 ? -1 : offset * 2 + (sizeBytes === 0x10000 ? 0 : 1);
    if (key === this.#announced) return;
    this.#announced = key;
    const offsets = Array.from({ length: WINDOW_PAGES }, (_, page) => {
      const at = page * PAGE_BYTES;
      return offset < 0 || at >= sizeBytes || offset + at >= this.videoRam.length ? null : offset + at;
    });
    this.#options.onWindow(offsets);
  }

  // ---- DISPI
  #readDispi(index: number): number {
    return readDispi(this.state, index, this.videoRam.length);
  }
  #writeDispi(value: number): void {
    const { videoRam } = this.#options;
    writeDispi(this.state, value, videoRam.bytes.length, () => {
      videoRam.willWrite(0, videoRam.bytes.length);
      videoRam.bytes.fill(0);
    });
    this.#announce();
  }

  /** BAR2: VGA ports from 3C0h, then DISPI registers as words. */
  #registerWindow(): PortHandler {
    const words = (offset: number): boolean =>
      offset >= BAR2_DISPI && offset < BAR2_DISPI + 2 * DISPI.videoMemory64K + 2;
    return {
      read: (offset, width) => {
        if (offset >= BAR2_VGA && offset < BAR2_VGA + 0x20) return this.ports.read(offset - BAR2_VGA + 0x10, width);
        return words(offset)
          ? this.#readDispi((offset - BAR2_DISPI) >> 1)
          : width === 4
            ? 0xffff_ffff
            : 2 ** (8 * width) - 1;
      },
      write: (offset, value, width) => {
        if (offset >= BAR2_VGA && offset < BAR2_VGA + 0x20) this.ports.write(offset - BAR2_VGA + 0x10, value, width);
        if (!words(offset)) return;
        const { dispiIndex } = this.state;
        this.state.dispiIndex = (offset - BAR2_DISPI) >> 1;
        this.#writeDispi(value & 0xffff);
        this.state.dispiIndex = dispiIndex;
      },
    };
  }

  // ---- registers
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

  get #linesPerFrame(): number {
    const { crtc } = this.state;
    const total = crtc[6] | ((crtc[7] & 0x01) << 8) | ((crtc[7] & 0x20) << 4);
    return Math.max(total + 2, 2);
  }

  /** Bit 0: not displaying; bit 3: vertical retrace. Lines take the time of the VGA's own modes. */
  #inputStatus1(): number {
    const { clock } = this.#options;
    const { crtc } = this.state;
    const position = cyclesAt(clock.now, clock.nsPerTick, POSITION_HZ);
    const line = Math.floor(position / 100) % this.#linesPerFrame;
    const visible = (crtc[0x12] | ((crtc[7] & 0x02) << 7) | ((crtc[7] & 0x40) << 3)) + 1;
    const retraceStart = crtc[0x10] | ((crtc[7] & 0x04) << 6) | ((crtc[7] & 0x80) << 2);
    const retraceLines = Math.max(1, ((crtc[0x11] & 0x0f) - retraceStart) & 0x0f);
    const blank = line >= visible || position % 100 >= VISIBLE_HUNDREDTHS;
    const retrace = line >= retraceStart && line < retraceStart + retraceLines;
    return (blank ? 0x01 : 0) | (retrace ? 0x08 : 0);
  }

  /** Tick at which input status 1 may change by itself: where the visible part of a line ends, and the line. */
  #inputStatus1End(): Tick {
    const { now, nsPerTick } = this.#options.clock;
    const position = cyclesAt(now, nsPerTick, POSITION_HZ);
    const inLine = position % 100;
    const end = position - inLine + (inLine < VISIBLE_HUNDREDTHS ? VISIBLE_HUNDREDTHS : 100);
    return tickOfCycle(end, nsPerTick, POSITION_HZ);
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
    state.dacPending[state.dacComponent] = hasWideDac(state) ? value : value & 0x3f;
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
