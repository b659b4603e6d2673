import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../src/base/hash.js';
import { createHashing } from '../../src/host/hashing.js';
import { Machine, Recording, type MachineOptions, type StopReason } from '../../src/index.js';

const BUILT = fileURLToPath(new URL('../../guest-images/built/', import.meta.url));
/** Where images keep what tests may set: how often they do their work. */
const PARAMETER_OFFSET = 8;

/** A built image; `parameter` replaces the one at offset 8. */
export function image(name: string, parameter?: number): Uint8Array {
  const bytes = new Uint8Array(readFileSync(BUILT + name));
  if (parameter !== undefined) new DataView(bytes.buffer).setUint32(PARAMETER_OFFSET, parameter, true);
  return bytes;
}

/** What to do at a tick. */
export type Step = readonly [tick: number, act: (machine: Machine) => void | Promise<void>];

/** A small machine with a fixed clock: everything about it is the same in every run. */
export function boot(bytes: Uint8Array, options: MachineOptions): Promise<Machine> {
  const isKernel = bytes[0] !== 0xeb;
  const media = isKernel ? { kernel: bytes } : { bootImage: bytes };
  return Machine.create({ memory: '4M', epoch: 1_000_000_000, ...media, ...options });
}

/** Runs until the machine stops or `endTick`, doing the steps at their ticks. */
export async function drive(machine: Machine, steps: readonly Step[], endTick: number): Promise<StopReason> {
  for (const [tick, act] of steps) {
    const stop = await machine.run({ until: { ticks: tick } });
    if (stop.kind !== 'matched' && stop.kind !== 'halted') return stop;
    await act(machine);
  }
  return machine.run({ until: { ticks: endTick } });
}

/** A recording's log as one text per entry; annotations of the host are left out. */
export async function logOf(file: string): Promise<string[]> {
  const recording = await Recording.open(file);
  const hashing = createHashing();
  const lines = [...recording.reader.cursor()]
    .filter((entry) => entry.entry !== 'audit')
    .map((entry) =>
      JSON.stringify(entry, (_key, value: unknown) =>
        value instanceof Uint8Array ? (value.length > 64 ? toHex(hashing.sha256(value)) : toHex(value)) : value,
      ),
    );
  await recording.close();
  return lines;
}
