import { PAGE_SIZE } from '../base/units.js';
import { CS } from '../isa/cpu-state.js';
import type { Cpu } from '../cpu/cpu.js';
import { LAYOUT } from '../cpu/memory/layout.js';
import type { CallerRegister, GuestCaller } from '../devices/backdoor/backdoor.js';

const REGISTER_NUMBERS: Readonly<Record<CallerRegister, number>> = { eax: 0, ecx: 1, edx: 2, ebx: 3, esi: 6, edi: 7 };

/** The CPU in the middle of an IN, as the backdoor sees it. Looking has no effect on the guest. */
export class PortCaller implements GuestCaller {
  constructor(private readonly cpu: Cpu) {}

  get(register: CallerRegister): number {
    return this.cpu.state.gpr(REGISTER_NUMBERS[register]);
  }
  set(register: CallerRegister, value: number): void {
    this.cpu.state.setGpr(REGISTER_NUMBERS[register], value);
  }
  get cpl(): number {
    return this.cpu.state.cpl;
  }
  get cr3(): number {
    return this.cpu.state.cr3;
  }
  get linearEip(): number {
    const { state } = this.cpu;
    return (state.segBase(CS) + state.instructionEip) >>> 0;
  }
  get #user(): boolean {
    return this.cpl === 3;
  }

  /** Engine addresses of the pieces, page by page; null for the first one that cannot be reached. */
  #pieces(
    linear: number,
    length: number,
    user: boolean,
    write: boolean,
  ): { host: number; count: number }[] | { missing: number } {
    const pieces: { host: number; count: number }[] = [];
    for (let done = 0; done < length;) {
      const at = (linear + done) >>> 0;
      const count = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const physical = this.cpu.memory.peek(at, user, write);
      const host = physical === null ? 0 : this.cpu.physical.host(physical);
      if (host < LAYOUT.ram) return { missing: done };
      pieces.push({ host, count });
      done += count;
    }
    return pieces;
  }

  #read(linear: number, length: number, user: boolean): { bytes: Uint8Array } | { missing: number } {
    const pieces = this.#pieces(linear, length, user, false);
    if ('missing' in pieces) return pieces;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const { host, count } of pieces) {
      bytes.set(this.cpu.physical.u8.subarray(host, host + count), at);
      at += count;
    }
    return { bytes };
  }

  read(linear: number, length: number): { bytes: Uint8Array } | { missing: number } {
    return this.#read(linear, length, this.#user);
  }
  readAny(linear: number, length: number): Uint8Array | null {
    const found = this.#read(linear, length, false);
    return 'bytes' in found ? found.bytes : null;
  }
  unwritable(linear: number, length: number): number | null {
    const pieces = this.#pieces(linear, length, this.#user, true);
    return 'missing' in pieces ? pieces.missing : null;
  }
  write(linear: number, bytes: Uint8Array): void {
    bytes.forEach((byte, i) => this.cpu.memory.write8((linear + i) >>> 0, byte, this.#user));
  }
  touch(linear: number, write: boolean): void {
    if (write) this.cpu.memory.checkWrite(linear, 1, this.#user);
    else this.cpu.memory.read8(linear, this.#user);
  }
}
