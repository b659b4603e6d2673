import { PAGE_SIZE } from '../../../src/base/units.js';
import { InputGate, LIVE_BACKEND } from '../../../src/core/input-gate.js';
import { Backdoor, type CallerRegister, type GuestCaller } from '../../../src/devices/backdoor/backdoor.js';
import { COMMANDS, MAGIC, STATUS, type CommandName } from '../../../src/devices/backdoor/protocol.js';
import type { BackdoorReply, BackdoorRequest, BackdoorService } from '../../../src/devices/backdoor/service.js';
import { createHashing } from '../../../src/host/hashing.js';

export const REGISTERS = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi'] as const;
export type Registers = Record<CallerRegister, number>;

/** What a touch of a missing page throws. */
export class PageFault extends Error {
  constructor(
    readonly linear: number,
    readonly write: boolean,
  ) {
    super('#PF');
  }
}

type Access = 'read-only' | 'writable' | 'supervisor';

/** A caller with a few mapped pages; everything else is missing. */
export class FakeCaller implements GuestCaller {
  readonly registers: Registers = { eax: MAGIC, ebx: 0, ecx: 0, edx: 0x5252, esi: 0, edi: 0 };
  readonly #pages = new Map<number, { bytes: Uint8Array; access: Access }>();
  cpl = 0;
  cr3 = 0x1000;
  linearEip = 0x8000;
  /** Register changes and memory writes, in order. */
  readonly changes: string[] = [];

  map(linear: number, access: Access = 'writable', pages = 1): this {
    for (let i = 0; i < pages; i++) {
      this.#pages.set(linear / PAGE_SIZE + i, { bytes: new Uint8Array(PAGE_SIZE), access });
    }
    return this;
  }
  /** Puts bytes into mapped pages whatever their access is. */
  poke(linear: number, bytes: Uint8Array): this {
    bytes.forEach((byte, i) => {
      const at = (linear + i) >>> 0;
      this.#pages.get(Math.floor(at / PAGE_SIZE))!.bytes[at % PAGE_SIZE] = byte;
    });
    return this;
  }
  peek(linear: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => {
      const at = (linear + i) >>> 0;
      return this.#pages.get(Math.floor(at / PAGE_SIZE))!.bytes[at % PAGE_SIZE];
    });
  }
  #allows(linear: number, write: boolean, supervisor: boolean): boolean {
    const page = this.#pages.get(Math.floor(linear / PAGE_SIZE));
    if (page === undefined) return false;
    if (!supervisor && page.access === 'supervisor') return false;
    return !write || page.access !== 'read-only';
  }
  #missing(linear: number, length: number, write: boolean, supervisor: boolean): number | null {
    for (let i = 0; i < length; i++) if (!this.#allows((linear + i) >>> 0, write, supervisor)) return i;
    return null;
  }

  get(register: CallerRegister): number {
    return this.registers[register];
  }
  set(register: CallerRegister, value: number): void {
    this.registers[register] = value;
    this.changes.push(register);
  }
  read(linear: number, length: number): { bytes: Uint8Array } | { missing: number } {
    const missing = this.#missing(linear, length, false, this.cpl < 3);
    return missing === null ? { bytes: this.peek(linear, length) } : { missing };
  }
  readAny(linear: number, length: number): Uint8Array | null {
    return this.#missing(linear, length, false, true) === null ? this.peek(linear, length) : null;
  }
  unwritable(linear: number, length: number): number | null {
    return this.#missing(linear, length, true, this.cpl < 3);
  }
  write(linear: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.changes.push(`write ${bytes.length}`);
    this.poke(linear, bytes);
  }
  touch(linear: number, write: boolean): void {
    if (!this.#allows(linear, write, this.cpl < 3)) throw new PageFault(linear, write);
  }
}

/** Answers every request alike and remembers them. */
export class FakeService implements BackdoorService {
  readonly requests: BackdoorRequest[] = [];
  reply: BackdoorReply = { status: STATUS.OK };

  answer(request: BackdoorRequest): BackdoorReply {
    this.requests.push(request);
    return this.reply;
  }
  allowsRing3(): boolean {
    return false;
  }
}

export interface Ask {
  readonly kind: string;
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
}

/** The device with a gate that keeps what is asked, like a recording. */
export class Bench {
  readonly gate = new InputGate();
  readonly service = new FakeService();
  readonly caller = new FakeCaller();
  readonly asks: Ask[] = [];
  readonly exits: number[] = [];
  readonly device = new Backdoor('backdoor', {
    gate: this.gate,
    hashing: createHashing(),
    onExit: (code) => this.exits.push(code),
  });

  constructor() {
    this.device.service = this.service;
    this.gate.attach({
      ask: (kind, request, produce) => {
        const answer = produce();
        this.asks.push({ kind, request, answer });
        return answer;
      },
      output: LIVE_BACKEND.output,
      block: LIVE_BACKEND.block,
    });
  }

  /** From now on the answers come from `asks`, and nobody produces any. */
  replay(asks: readonly Ask[]): void {
    const rest = [...asks];
    this.gate.attach({ ...LIVE_BACKEND, ask: () => rest.shift()!.answer });
  }

  /** A call as the CPU makes it: the result goes into EAX. */
  call(command: CommandName | number, registers: Partial<Registers> = {}, flags = 0): number {
    const number = typeof command === 'number' ? command : COMMANDS[command].number;
    Object.assign(this.caller.registers, registers, { eax: MAGIC, ecx: (number | (flags << 16)) >>> 0 });
    return this.in();
  }
  in(): number {
    const result = this.device.portIn32(this.caller);
    this.caller.registers.eax = result;
    return result;
  }
}

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
