import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Machine, Recording } from '../../src/index.js';
import { image } from './guest.js';

const SEED_OFFSET = 12;
const LAST_TICK = 60_000_000;
const outDir = mkdtempSync(join(tmpdir(), 'device-fuzz-'));
afterAll(() => rmSync(outDir, { recursive: true }));

/** More seeds: DEVICE_FUZZ=n. */
const seeds = Array.from({ length: Number(process.env.DEVICE_FUZZ ?? 6) }, (_, n) => 0x2545_f491 + 7919 * n);

describe('a guest that writes at random to PCI, controllers and what they have mapped', () => {
  it.each(seeds)('harms nobody, and replays (seed %i)', async (seed) => {
    const bytes = image('device-fuzz.img');
    new DataView(bytes.buffer).setUint32(SEED_OFFSET, seed, true);
    const machine = await Machine.create({
      bootImage: bytes,
      memory: '8M',
      epoch: 1_000_000_000,
      network: [
        { model: 'e1000', backend: { kind: 'none' } },
        { model: 'ne2k_pci', backend: { kind: 'none' } },
      ],
      hda: new Uint8Array(300 * 512),
      cdrom: new Uint8Array(64 * 2048),
      pacing: false,
      outDir,
      digestTicks: 2_000_000,
    });
    await machine.startRecording({ name: `fuzz-${seed}` });
    await machine.run({ until: { ticks: LAST_TICK } });
    expect(machine.serialText).toContain('device-fuzz: start');
    machine.screenshot();
    const file = machine.recording === null ? join(outDir, `fuzz-${seed}.reel`) : await machine.stopRecording();
    await machine.close();
    const recording = await Recording.open(file);
    expect(await recording.verify({ tier: 'interpreter' })).toMatchObject({ ok: true });
    await recording.close();
  });
});
