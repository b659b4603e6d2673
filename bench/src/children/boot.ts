import { Machine } from '../../../dist/bundle/index.js';

/** What a probe's program is told. */
export interface ProbeOrder {
  readonly memoryMib: number;
  readonly kernel: string;
  readonly initrd: string;
  readonly outDir: string;
}

/** 2026-01-01: the same calendar in every run. */
export const EPOCH_SECONDS = 1_767_225_600;

/** Boots the guest, lets it do nothing first, and returns it when it is about to begin with `words`. */
export async function bootTo(order: ProbeOrder, words: readonly string[]): Promise<Machine> {
  const { kernel, initrd, outDir, memoryMib } = order;
  const append = `console=ttyS0 work=none,${words.join(',')}`;
  const machine = await Machine.create({ kernel, initrd, outDir, append, memory: memoryMib, epoch: EPOCH_SECONDS });
  const stop = await machine.run({ until: { serial: /END none/ } });
  if (stop.kind !== 'matched') throw new Error(`the guest did not boot: ${JSON.stringify(stop)}`);
  return machine;
}
