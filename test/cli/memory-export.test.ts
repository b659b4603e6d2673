import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine, Recording } from '../../src/index.js';
import { image } from '../guests/guest.js';
import { hostLibrary } from '../../src/cli/host-library.js';
import { desk } from './run-cli.js';

const outDir = mkdtempSync(join(tmpdir(), 'memory-export-'));
afterAll(() => rmSync(outDir, { recursive: true }));
const MEMORY_BYTES = 4 * 1024 * 1024;
const LOW_BYTES = 639 * 1024;
const MIB = 1024 * 1024;
async function cli(argv: readonly string[]): Promise<{ code: number; stderr: string }> {
  const at = desk();
  const code = await at.run(argv, hostLibrary());
  return { code, stderr: at.stderr.text };
}

describe('RAM of a recording', () => {
  let file: string;
  let low: Uint8Array;
  let registers: Record<string, number>;

  beforeAll(async () => {
    const machine = await Machine.create({ bootImage: image('paging.img'), memory: '4M', epoch: 0, outDir });
    await machine.startRecording({ name: 'paging' });
    await machine.run({ until: { ticks: 500_000 } });
    file = machine.recording === null ? join(outDir, 'paging.reel') : await machine.stopRecording();
    await machine.close();
    const recording = await Recording.open(file);
    const replay = await recording.replay();
    await replay.run();
    registers = replay.registers();
    const [range] = replay.memoryRanges();
    low = Buffer.concat([...replay.memoryContents(range!)]);
    await replay.close();
    await recording.close();
  });

  async function exported(format: string): Promise<Buffer> {
    const path = join(outDir, `memory.${format}`);
    const { code, stderr } = await cli(['export', file, '--as', format, '-o', path]);
    expect([code, stderr]).toEqual([0, '']);
    return readFileSync(path);
  }

  it('is written for Volatility, range by range', async () => {
    const bytes = await exported('lime');
    expect(bytes.length).toBe(2 * 32 + LOW_BYTES + MEMORY_BYTES - MIB);
    const header = (at: number): (number | bigint)[] => [
      bytes.readUInt32LE(at),
      bytes.readUInt32LE(at + 4),
      bytes.readBigUInt64LE(at + 8),
      bytes.readBigUInt64LE(at + 16),
    ];
    expect(header(0)).toEqual([0x4c694d45, 1, 0n, BigInt(LOW_BYTES - 1)]);
    expect(header(32 + LOW_BYTES)).toEqual([0x4c694d45, 1, BigInt(MIB), BigInt(MEMORY_BYTES - 1)]);
    expect(bytes.subarray(32, 32 + LOW_BYTES).equals(low)).toBe(true);
  });

  it('is written as a core file with the registers', async () => {
    const bytes = await exported('core');
    expect(bytes.toString('latin1', 1, 4)).toBe('ELF');
    const load = 52 + 32;
    const offset = bytes.readUInt32LE(load + 4);
    expect(bytes.subarray(offset, offset + LOW_BYTES).equals(low)).toBe(true);
    const note = bytes.readUInt32LE(52 + 4);
    const register = (n: number): number => bytes.readUInt32LE(note + 20 + 72 + 4 * n);
    expect([register(12), register(6), register(15)]).toEqual([registers.eip, registers.eax, registers.esp]);
    expect(low.some((byte) => byte !== 0)).toBe(true);
  });

  it('never replaces a file', async () => {
    await exported('lime').catch(() => undefined);
    const { code, stderr } = await cli(['export', file, '--as', 'lime', '-o', join(outDir, 'memory.lime')]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('the file exists');
  });
});
