/**
 * PS/2 mouse with the IntelliMouse wheel extension. IBM PS/2 Hardware Interface Technical Reference (1988), "Mouse";
 * wheel: Microsoft, "3D Input Devices on PS/2 and Serial Ports" (1998).
 *
 * NOT implemented: the sample rate does not limit packets (one packet per host event, or as fast as the guest reads), 5-button mode
 * (ID 4), the effect of 2:1 scaling.
 *
 * The device end of the cable; i8042.ts is the other one.
 */
import { ByteReader, ByteWriter } from '../base/bytes.js';
import { bool, bytes, i16, i32, i8, nullable, readState, u8, writeState, type StateSchema } from '../core/state.js';

const ACK = 0xfa;
const RESEND = 0xfe;
const BAT_PASSED = 0xaa;

export interface Ps2MouseState {
  queue: Uint8Array;
  reporting: boolean;
  remote: boolean;
  wrap: boolean;
  scaling2: boolean;
  /** Code 0-3. */
  resolution: number;
  /** Samples per second. */
  sampleRate: number;
  /** 0 standard, 3 with wheel. */
  deviceId: number;
  /** Last three sample rates set: 200, 100, 80 turns the wheel on. */
  knock: Uint8Array;
  command: number | null;
  lastSent: number;
  /** Movement not yet reported; y grows upwards. */
  dx: number;
  dy: number;
  dz: number;
  /** Bit 0 left, 1 right, 2 middle. */
  buttons: number;
  reportedButtons: number;
}

export const PS2_MOUSE_SCHEMA: StateSchema<Ps2MouseState> = {
  queue: bytes,
  reporting: bool,
  remote: bool,
  wrap: bool,
  scaling2: bool,
  resolution: u8,
  sampleRate: u8,
  deviceId: u8,
  knock: bytes,
  command: nullable(u8),
  lastSent: u8,
  dx: i32,
  dy: i32,
  dz: i32,
  buttons: u8,
  reportedButtons: u8,
};

/** What the host's mouse did. */
export interface MouseInput {
  /** Counts to the right. */
  readonly dx: number;
  /** Counts upwards. */
  readonly dy: number;
  /** Steps towards the user. */
  readonly wheel: number;
  /** What is pressed now: 1 left, 2 right, 4 middle. */
  readonly buttons: number;
}

const MOUSE_INPUT_SCHEMA: StateSchema<{ -readonly [K in keyof MouseInput]: number }> = {
  dx: i16,
  dy: i16,
  wheel: i8,
  buttons: u8,
};

/** Payload of the input `mouse`. */
export function encodeMouseInput(input: MouseInput): Uint8Array {
  const out = new ByteWriter();
  writeState(out, MOUSE_INPUT_SCHEMA, { ...input });
  return out.finish();
}

/** Throws DAMAGED for what no program of ours has written. */
export function decodeMouseInput(payload: Uint8Array): MouseInput {
  const reader = new ByteReader(payload, 'input mouse');
  const input = { dx: 0, dy: 0, wheel: 0, buttons: 0 };
  readState(reader, MOUSE_INPUT_SCHEMA, input);
  reader.end();
  return input;
}

/** Movement that waits is limited, so that a host cannot make the counters overflow. */
const MAX_WAITING = 1 << 16;

export function powerOnMouse(): Ps2MouseState {
  return {
    queue: Uint8Array.of(),
    reporting: false,
    remote: false,
    wrap: false,
    scaling2: false,
    resolution: 2,
    sampleRate: 100,
    deviceId: 0,
    knock: Uint8Array.of(),
    command: null,
    lastSent: 0,
    dx: 0,
    dy: 0,
    dz: 0,
    buttons: 0,
    reportedButtons: 0,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

export class Ps2Mouse {
  constructor(private readonly s: Ps2MouseState) {}

  /** Makes a packet if there is something to report; true when bytes wait. */
  ready(): boolean {
    if (this.s.queue.length === 0) this.#stream();
    return this.s.queue.length > 0;
  }

  /** Takes the next byte for the wire; there must be one. */
  send(): number {
    const { s } = this;
    s.lastSent = s.queue[0];
    s.queue = s.queue.slice(1);
    return s.lastSent;
  }

  /** The host's mouse moved, its wheel turned, or buttons changed. */
  move({ dx, dy, wheel, buttons }: MouseInput): void {
    const { s } = this;
    s.dx = clamp(s.dx + dx, -MAX_WAITING, MAX_WAITING);
    s.dy = clamp(s.dy + dy, -MAX_WAITING, MAX_WAITING);
    s.dz = clamp(s.dz + wheel, -MAX_WAITING, MAX_WAITING);
    s.buttons = buttons & 7;
    if (s.queue.length === 0) this.#stream();
  }

  /** A byte from the controller. */
  receive(value: number): void {
    const { s } = this;
    if (s.wrap && value !== 0xff && value !== 0xec) return this.#answer(value);
    const { command } = s;
    s.command = null;
    if (command !== null) return this.#parameter(command, value);
    switch (value) {
      case 0xe6:
      case 0xe7:
        s.scaling2 = value === 0xe7;
        return this.#answer(ACK);
      case 0xe8: // set resolution
      case 0xf3: // set sample rate
        s.command = value;
        return this.#answer(ACK);
      case 0xe9:
        return this.#answer(ACK, this.#status(), s.resolution, s.sampleRate);
      case 0xea:
      case 0xf0:
        s.remote = value === 0xf0;
        return this.#answer(ACK);
      case 0xeb:
        return this.#answer(ACK, ...this.#packet());
      case 0xec:
      case 0xee:
        s.wrap = value === 0xee;
        return this.#answer(ACK);
      case 0xf2:
        return this.#answer(ACK, s.deviceId);
      case 0xf4:
      case 0xf5:
        s.reporting = value === 0xf4;
        return this.#answer(ACK);
      case 0xf6:
        this.#defaults();
        return this.#answer(ACK);
      case 0xfe:
        return this.#answer(s.lastSent);
      case 0xff:
        this.#defaults();
        Object.assign(s, { deviceId: 0, knock: Uint8Array.of(), wrap: false });
        return this.#answer(ACK, BAT_PASSED, s.deviceId);
      default:
        return this.#answer(RESEND);
    }
  }

  #parameter(command: number, value: number): void {
    const { s } = this;
    if (command === 0xe8) {
      s.resolution = value & 3;
    } else {
      s.sampleRate = value;
      s.knock = Uint8Array.of(...s.knock.slice(-2), value);
      if (s.knock.join() === '200,100,80') s.deviceId = 3;
    }
    this.#answer(ACK);
  }

  #defaults(): void {
    Object.assign(this.s, { sampleRate: 100, resolution: 2, scaling2: false, reporting: false, remote: false });
    Object.assign(this.s, { dx: 0, dy: 0, dz: 0, reportedButtons: this.s.buttons });
  }

  #status(): number {
    const { s } = this;
    const buttons = ((s.buttons & 1) << 2) | (s.buttons & 2) | ((s.buttons & 4) >> 2);
    return buttons | (s.scaling2 ? 0x10 : 0) | (s.reporting ? 0x20 : 0) | (s.remote ? 0x40 : 0);
  }

  /** Stream mode: a packet as soon as there is something to tell and the last one has gone. */
  #stream(): void {
    const { s } = this;
    if (!s.reporting || s.remote || s.wrap) return;
    const moved = s.dx !== 0 || s.dy !== 0 || (s.dz !== 0 && s.deviceId === 3);
    if (moved || s.buttons !== s.reportedButtons) s.queue = Uint8Array.from(this.#packet());
  }

  /** One report; what does not fit stays for the next. */
  #packet(): number[] {
    const { s } = this;
    const x = clamp(s.dx, -255, 255);
    const y = clamp(s.dy, -255, 255);
    const z = clamp(s.dz, -8, 7);
    s.dx -= x;
    s.dy -= y;
    s.dz = s.deviceId === 3 ? s.dz - z : 0;
    s.reportedButtons = s.buttons;
    const first = 0x08 | s.buttons | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
    return s.deviceId === 3 ? [first, x & 0xff, y & 0xff, z & 0xff] : [first, x & 0xff, y & 0xff];
  }

  /** A command stops a packet that is under way (Technical Reference, "Mouse commands"). */
  #answer(...values: number[]): void {
    this.s.queue = Uint8Array.from(values);
  }
}
