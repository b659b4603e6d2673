import type { Width } from '../../core/bus.js';
import type { CpuOptions } from '../cpu-options.js';
import type { GuestMemory } from '../memory/guest-memory.js';
import type { CpuSystem } from './cpu-system.js';
import { GuestFault } from './guest-fault.js';
import type { Outside } from './outside.js';
import type { SteadyPort } from './steady-port.js';

interface PortAccess {
  readonly io: CpuOptions['io'];
  readonly system: Pick<CpuSystem, 'checkIo'>;
  readonly memory: Pick<GuestMemory, 'pend'>;
  readonly steady: SteadyPort;
  readonly outside: Outside;
}

/** What the interpreter calls for IN, OUT, INS and OUTS. A fault is left pending. */
export function portFunctions({ io, system, memory, steady, outside }: PortAccess) {
  const pend = (e: unknown): void => {
    if (!(e instanceof GuestFault)) throw e;
    memory.pend(e);
  };
  const isAllowed = (width: Width, port: number, isRead: boolean): boolean => {
    if (io.exempt(port, width, isRead)) return true;
    try {
      system.checkIo(port, width);
      return true;
    } catch (e) {
      pend(e);
      return false;
    }
  };
  return {
    portIn(bytes: number, port: number): number {
      const width = bytes as Width;
      steady.forget();
      if (!isAllowed(width, port & 0xffff, true)) return 0;
      try {
        const value = io.read(port & 0xffff, width) | 0;
        const until = width === 1 ? (io.steadyUntil?.(port & 0xffff) ?? 0) : 0;
        if (until > 0) {
          steady.note(port & 0xffff, value, until);
          outside.noteSteady(port & 0xffff, until);
        } else outside.touch();
        return value;
      } catch (e) {
        // The backdoor touches guest memory on request and may fault (flag TOUCH).
        pend(e);
        outside.touch();
        return 0;
      }
    },
    portOut(bytes: number, port: number, value: number): void {
      const width = bytes as Width;
      steady.forget();
      if (!isAllowed(width, port & 0xffff, false)) return;
      const mask = width === 4 ? 0xffff_ffff : (1 << (8 * width)) - 1;
      outside.touch();
      io.write(port & 0xffff, (value & mask) >>> 0, width);
    },
    checkPort(bytes: number, port: number): void {
      isAllowed(bytes as Width, port & 0xffff, false);
    },
  };
}
