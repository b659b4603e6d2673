import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../src/base/hash.js';
import { createHashing } from '../../src/host/hashing.js';
import { CodedError, Recording, recoverRecording } from '../../src/index.js';
import { readLayout } from '../../src/log/reel-layout.js';
import { bytesSource } from '../../src/log/reel-source.js';

/** A bit to change, or a length to cut to. */
export type Damage = { readonly bit: number } | { readonly cut: number };

/**
 * What a user gets: the recording as it was, because nothing that matters changed; nothing; or what was before the
 * damage, the whole of it where only the summary was hit.
 */
export type Outcome = 'unharmed' | 'lost' | 'whole' | 'prefix';

/** Names of the codes that a damaged file may end in. */
const CODES: readonly string[] = ['DAMAGED', 'VERSION'];

const hashing = createHashing();

function codeOf(error: unknown): string {
  if (error instanceof CodedError && CODES.includes(error.code) && error.where !== undefined) return error.code;
  throw new Error(`no clear error: ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
}

/** The log as one text per entry. */
function logOf(recording: Recording): string[] {
  const text = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? toHex(value.length > 64 ? hashing.sha256(value) : value) : value;
  return [...recording.reader.cursor()].map((entry) => JSON.stringify(entry, text));
}

/** Offset of the first chunk that has entries of the log. */
export async function logOffset(file: string): Promise<number> {
  const recording = await Recording.open(file);
  const cursor = recording.reader.cursor();
  cursor.peek();
  const layout = readLayout(bytesSource(readFileSync(file)), hashing);
  await recording.close();
  return layout.chunks[cursor.position.chunk].offset;
}

/** Damages a recording in many ways and looks at what is left each time. */
export class DamageTrial {
  /** Logs that were replayed, by content: most damage leaves one of few prefixes. */
  readonly #replayed = new Set<string>();

  private constructor(
    private readonly whole: Uint8Array,
    private readonly log: readonly string[],
    private readonly folder: string,
  ) {}

  static async of(file: string, folder: string): Promise<DamageTrial> {
    const recording = await Recording.open(file);
    const trial = new DamageTrial(new Uint8Array(readFileSync(file)), logOf(recording), folder);
    await recording.close();
    return trial;
  }

  get replays(): number {
    return this.#replayed.size;
  }

  async try(damage: Damage): Promise<Outcome> {
    const file = join(this.folder, 'damaged.reel');
    const target = join(this.folder, 'saved.reel');
    rmSync(target, { force: true });
    writeFileSync(file, this.#damaged(damage));
    if (await this.#standsUp(file)) return 'unharmed';
    try {
      await recoverRecording(file, target);
    } catch (error) {
      codeOf(error);
      if (existsSync(target)) throw new Error('a failed recovery left a file', { cause: error });
      return 'lost';
    }
    return this.#saved(target);
  }

  #damaged(damage: Damage): Uint8Array {
    if ('cut' in damage) return this.whole.subarray(0, damage.cut);
    const bytes = this.whole.slice();
    bytes[damage.bit >> 3] ^= 1 << (damage.bit & 7);
    return bytes;
  }

  /** Whether the damaged file verifies; if so it must be the very recording. Replaying it unchecked is no way round. */
  async #standsUp(file: string): Promise<boolean> {
    let recording: Recording;
    try {
      recording = await Recording.open(file);
    } catch (error) {
      codeOf(error);
      return false;
    }
    try {
      await this.#replayUnchecked(recording);
      const verification = await recording.verify();
      if (!verification.ok) throw new Error(`a wrong replay: ${JSON.stringify(verification)}`);
      this.#compare(logOf(recording));
      return true;
    } catch (error) {
      codeOf(error);
      return false;
    } finally {
      await recording.close();
    }
  }

  async #replayUnchecked(recording: Recording): Promise<void> {
    const replay = await recording.replay();
    try {
      const stop = await replay.run();
      if (stop.kind !== 'end') throw new Error(`a wrong replay: ${JSON.stringify(stop)}`);
    } catch (error) {
      codeOf(error);
    } finally {
      await replay.close();
    }
  }

  async #saved(target: string): Promise<Outcome> {
    const recording = await Recording.open(target);
    try {
      const saved = logOf(recording);
      const isWhole = recording.endReason !== 'recovered';
      if (!isWhole) saved.pop();
      this.#compare(saved, saved.length);
      if (isWhole && saved.length !== this.log.length) throw new Error('an end came too early');
      const content = toHex(recording.reader.chainSha256);
      if (!this.#replayed.has(content)) {
        const verification = await recording.verify();
        if (!verification.ok) throw new Error(`a wrong prefix: ${JSON.stringify(verification)}`);
        this.#replayed.add(content);
      }
      return isWhole ? 'whole' : 'prefix';
    } finally {
      await recording.close();
    }
  }

  #compare(log: readonly string[], length = this.log.length): void {
    const isSame = log.length === length && log.every((line, i) => line === this.log[i]);
    if (!isSame) throw new Error('the log is not what was recorded');
  }
}
