import type { Width } from '../../core/bus.js';
import type { CpuOptions } from '../cpu-options.js';
import type { GuestMemory } from '../memory/guest-memory.js';
import type { CpuSystem } from './cpu-system.js';
import { GuestFault } from './guest-fault.js';

interface PortAccess {
  readonly io: CpuOptions['io'];
  readonly system: Pick<CpuSystem, 'checkIo'>;
  readonly memory: Pick<GuestMemory, 'pend'>;
}

/** What the interpreter calls for IN, OUT, INS and OUTS. A fault is left pending. */
export function portFunctions({ io, system, memory }: PortAccess) {
  const pendingFault = (work: () => void): boolean => {
    try {
      work();
      return false;
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      memory.pend(e);
      return true;
    }
  };
  const isAllowed = (width: Width, port: number, isRead: boolean): boolean =>
    io.exempt(port, width, isRead) || !pendingFault(() => system.checkIo(port, width));
  return {
    portIn(bytes: number, port: number): number {
      const width = bytes as Width;
      if (!isAllowed(width, port & 0xffff, true)) return 0;
      let value = 0;
      // The backdoor touches guest memory on request and may fault (flag TOUCH).
      pendingFault(() => (value = io.read(port & 0xffff, width) | 0));
      return value;
    },
    portOut(bytes: number, port: number, value: number): void {
      const width = bytes as Width;
      if (!isAllowed(width, port & 0xffff, false)) return;
      const mask = width === 4 ? 0xffff_ffff : (1 << (8 * width)) - 1;
      io.write(port & 0xffff, (value & mask) >>> 0, width);
    },
    checkPort(bytes: number, port: number): void {
      isAllowed(bytes as Width, port & 0xffff, false);
    },
  };
}
