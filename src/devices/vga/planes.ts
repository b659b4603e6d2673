/** How the CPU reaches video memory through A0000h-BFFFFh when it is not plainly linear: planes, latches, write modes. */
import type { DeviceMemory } from '../../core/bus.js';
import { isChain4, windowOf, type VgaState } from './registers.js';

/** Byte 4n + p of video memory is byte n of plane p. */
const PLANES = 4;
/** Each plane's address space. */
const PLANE_MASK = 0xffff;

function rotateRight(byte: number, count: number): number {
  return ((byte >> count) | (byte << (8 - count))) & 0xff;
}

/** Reads and writes one byte at a time, as the graphics controller does. */
export class PlanarMemory {
  constructor(
    private readonly state: VgaState,
    private readonly memory: DeviceMemory,
    /** Offset in video memory of the window's bank. */
    private readonly bank: () => number,
  ) {}

  /** Offset within the window, -1 outside. */
  #offset(address: number): number {
    const { base, sizeBytes } = windowOf(this.state);
    const offset = address - base;
    return offset >= 0 && offset < sizeBytes && (this.state.misc & 2) !== 0 ? offset : -1;
  }

  read(address: number): number {
    const { state, memory } = this;
    const offset = this.#offset(address);
    if (offset < 0) return 0xff;
    if (isChain4(state)) return memory.bytes[this.bank() + offset] ?? 0xff;
    if (this.#isOddEven) {
      const plane = (state.graphics[4] & 2) | (offset & 1);
      return memory.bytes[PLANES * ((offset >> 1) & PLANE_MASK) + plane];
    }
    const at = (this.bank() & ~(PLANES - 1)) + PLANES * (offset & PLANE_MASK);
    for (let plane = 0; plane < PLANES; plane++) state.latches[plane] = memory.bytes[at + plane] ?? 0xff;
    if ((state.graphics[5] & 0x08) === 0) return state.latches[state.graphics[4] & 3];
    return this.#colourCompare();
  }

  /** Read mode 1: a bit is set where the pixel has the colour asked for, in the planes that count. */
  #colourCompare(): number {
    const { graphics, latches } = this.state;
    let result = 0xff;
    for (let plane = 0; plane < PLANES; plane++) {
      if (((graphics[7] >> plane) & 1) === 0) continue;
      const wanted = (graphics[2] >> plane) & 1 ? 0xff : 0;
      result &= ~(latches[plane] ^ wanted);
    }
    return result & 0xff;
  }

  get #isOddEven(): boolean {
    return (this.state.graphics[5] & 0x10) !== 0;
  }

  write(address: number, value: number): void {
    const { state } = this;
    const offset = this.#offset(address);
    if (offset < 0) return;
    const mapMask = state.sequencer[2] & 0x0f;
    if (isChain4(state)) {
      if ((mapMask >> (offset & 3)) & 1) this.#put(this.bank() + offset, value);
      return;
    }
    // Sequencer register 4, bit 2 clear: even addresses go to planes 0 and 2, odd ones to 1 and 3.
    if (this.#isOddEven && (state.sequencer[4] & 0x04) === 0) {
      const at = PLANES * ((offset >> 1) & PLANE_MASK);
      for (const plane of [offset & 1, (offset & 1) | 2]) {
        if ((mapMask >> plane) & 1) this.#put(at + plane, value);
      }
      return;
    }
    const at = (this.bank() & ~(PLANES - 1)) + PLANES * (offset & PLANE_MASK);
    for (let plane = 0; plane < PLANES; plane++) {
      if ((mapMask >> plane) & 1) this.#put(at + plane, this.#combine(plane, value));
    }
  }

  /** What a plane gets in write modes 0 to 3. */
  #combine(plane: number, value: number): number {
    const { graphics, latches } = this.state;
    const latch = latches[plane];
    const rotated = rotateRight(value, graphics[3] & 7);
    const setReset = (graphics[0] >> plane) & 1 ? 0xff : 0;
    let bitMask = graphics[8];
    let data: number;
    switch (graphics[5] & 3) {
      case 0:
        data = (graphics[1] >> plane) & 1 ? setReset : rotated;
        break;
      case 1:
        return latch;
      case 2:
        data = (value >> plane) & 1 ? 0xff : 0;
        break;
      default:
        bitMask &= rotated;
        data = setReset;
    }
    return (this.#logic(data, latch) & bitMask) | (latch & ~bitMask);
  }

  #logic(data: number, latch: number): number {
    switch ((this.state.graphics[3] >> 3) & 3) {
      case 0:
        return data;
      case 1:
        return data & latch;
      case 2:
        return data | latch;
      default:
        return data ^ latch;
    }
  }

  #put(at: number, value: number): void {
    if (at >= this.memory.bytes.length) return;
    this.memory.willWrite(at, 1);
    this.memory.bytes[at] = value;
  }
}
