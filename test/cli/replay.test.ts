import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import type { FollowedReplay, Library, OpenRecording } from '../../src/cli/library.js';
import type { LiveOptions } from '../../src/harness/launch.js';
import type { Verification } from '../../src/harness/recording.js';
import type { ReplayOptions, ReplayResult } from '../../src/harness/replay.js';
import { withReel } from '../../src/cli/reel-contents.js';
import type { Divergence } from '../../src/replay/divergence.js';
import { FakeMachine, stops } from './fake-machine.js';
import { desk, NO_LIBRARY } from './run-cli.js';
import { schemaErrors } from './schema.js';

const GOLDEN = fileURLToPath(new URL('../fixtures/1/golden.reel', import.meta.url));
const DIVERGENCE: Divergence = { tick: 77, what: 'pit', expected: 'aa\x1b', actual: 'bb', after: 'phase "a"' };

/** A replay that ends as written down. */
class FakeReplay implements FollowedReplay {
  readonly endTick = 100;
  readonly live = new FakeMachine([stops({ kind: 'exit', code: 4 })]);
  tick = 0;
  options: ReplayOptions | null = null;
  liveOptions: LiveOptions | null = null;
  readonly #console = new FakeMachine([]);

  constructor(private readonly result: ReplayResult) {}

  diskContents(): Iterable<Uint8Array> {
    return [];
  }

  async run(options: ReplayOptions = {}): Promise<ReplayResult> {
    this.options = options;
    this.#console.send('recorded');
    this.tick = 42;
    options.onProgress?.(21, 100);
    return this.result;
  }
  registers(): Record<string, number> {
    return {};
  }
  drives(): never[] {
    return [];
  }
  onMark(): void {}
  memoryRanges(): never[] {
    return [];
  }
  *memoryContents(): Generator<Uint8Array> {}
  screenshot(): Uint8Array {
    return Uint8Array.of(0x89);
  }
  screenText(): string {
    return 'screen';
  }
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void {
    return this.#console.onSerial(listener);
  }
  onParallel(listener: (bytes: Uint8Array) => void): () => void {
    return this.#console.onParallel(listener);
  }
  async goLive(options: LiveOptions = {}): Promise<FakeMachine> {
    this.liveOptions = options;
    return this.live;
  }
  startProfile(): never {
    throw new Error('nobody asked for a profile');
  }
  async close(): Promise<void> {}
}

async function libraryOf(replay: FakeReplay | null, verify: (file: string) => Promise<Verification>): Promise<Library> {
  const reader = await withReel(GOLDEN, (contents) => contents.reader);
  const openRecording = async (file: string): Promise<OpenRecording> => ({
    file,
    reader,
    verify: (progress) => {
      progress?.onProgress?.(2000, 60_000_000_000);
      return verify(file);
    },
    replay: async () => replay!,
    close: async () => {},
  });
  return { ...NO_LIBRARY, openRecording };
}

describe('reel replay', () => {
  const none = (): Promise<Verification> => Promise.reject(new Error('not asked for'));

  it('follows a recording to its end and writes nothing to standard output unless asked', async () => {
    const replay = new FakeReplay({ kind: 'end', reason: 'stop' });
    const at = desk();
    expect(await at.run(['replay', 'x.reel'], await libraryOf(replay, none))).toBe(0);
    expect(replay.options!.until).toEqual({});
    expect(at.stdout.text).toBe('');
    expect(at.stderr.text).toBe('reel: the recording ended at tick 42 (stop)\n');
  });

  it('writes what COM1 sent with -serial stdio, and the screen with -display text', async () => {
    const at = desk();
    const library = await libraryOf(new FakeReplay({ kind: 'end', reason: 'stop' }), none);
    await at.run(['replay', 'x.reel', '-serial', 'stdio', '-display', 'text'], library);
    expect(at.stdout.text).toBe('recordedscreen\n');
  });

  it.each([
    ['5_000', { ticks: 5000 }],
    ['mark:phase "a"', { mark: 'phase "a"' }],
  ])('stops at %s', async (text, until) => {
    const replay = new FakeReplay({ kind: 'matched', what: 'mark' });
    expect(await desk().run(['replay', 'x.reel', '-until', text], await libraryOf(replay, none))).toBe(0);
    expect(replay.options!.until).toEqual(until);
  });

  it('says so when the place is not in the recording', async () => {
    const at = desk();
    const library = await libraryOf(new FakeReplay({ kind: 'end', reason: 'stop' }), none);
    expect(await at.run(['replay', 'x.reel', '-until', 'mark:none'], library)).toBe(2);
    expect(at.stderr.text).toContain('the recording ended before the place given by --until');
  });

  it('goes live there with -live, and runs and records like any machine', async () => {
    const replay = new FakeReplay({ kind: 'matched', what: 'mark' });
    const argv = 'replay x.reel -until mark:m -live -record after -out dir -policy p.json -image disk'.split(' ');
    expect(await desk().run(argv, await libraryOf(replay, none))).toBe(4);
    expect(replay.liveOptions).toEqual({
      outDir: 'dir',
      policy: 'p.json',
      audit: undefined,
      pacing: true,
      bootImage: 'disk',
    });
    expect(replay.live.done).toEqual(['start after at 0', 'run', 'stop', 'close']);
  });

  it('never goes live from a replay that diverged', async () => {
    const replay = new FakeReplay({ kind: 'diverged', divergence: DIVERGENCE });
    const at = desk();
    expect(await at.run(['replay', 'x.reel', '-live'], await libraryOf(replay, none))).toBe(3);
    expect(replay.liveOptions).toBeNull();
    expect(at.stderr.text).toContain('diverged at tick 77, after mark "phase "a"": pit');
  });
});

describe('reel verify', () => {
  const verdicts = (file: string): Promise<Verification> => {
    if (file === 'same') return Promise.resolve({ ok: true, ticks: 1000, digests: 3 });
    if (file === 'diverged') return Promise.resolve({ ok: false, divergence: DIVERGENCE });
    return Promise.reject(new CodedError('DAMAGED', 'a chunk is damaged', { where: 'offset 7' }));
  };

  it('exits with 0 where all are the same', async () => {
    const at = desk();
    expect(await at.run(['verify', 'same', 'same'], await libraryOf(null, verdicts))).toBe(0);
    expect(at.stdout.text).toBe('same: same, 1000 ticks, 3 digests\n'.repeat(2));
    expect(at.stderr.text).toBe('');
  });

  it('tells tick, mark and both sides of a divergence', async () => {
    const at = desk();
    expect(await at.run(['verify', 'diverged'], await libraryOf(null, verdicts))).toBe(3);
    expect(at.stdout.text).toBe(
      'diverged: diverged at tick 77, after mark "phase "a"": pit\n  recorded: aa\\x1b\n  replayed: bb\n',
    );
  });

  it('looks at all files and exits with the code of the first bad one', async () => {
    const at = desk();
    expect(await at.run(['verify', 'same', 'damaged', 'diverged'], await libraryOf(null, verdicts))).toBe(4);
    expect(at.stdout.text).toContain('same: same');
    expect(at.stdout.text).toContain('diverged: diverged');
    expect(at.stderr.text).toBe('reel: damaged: offset 7: a chunk is damaged\n');
    expect(await desk().run(['verify', 'diverged', 'damaged'], await libraryOf(null, verdicts))).toBe(3);
  });

  it('writes JSON that its schema allows', async () => {
    const at = desk();
    expect(await at.run(['verify', '--json', 'same', 'diverged', 'damaged'], await libraryOf(null, verdicts))).toBe(3);
    const results = JSON.parse(at.stdout.text) as object[];
    expect(schemaErrors('cli-verify', results)).toEqual([]);
    expect(results).toMatchObject([
      { result: 'same', exitCode: 0 },
      { result: 'diverged', exitCode: 3, divergence: DIVERGENCE },
      { result: 'error', exitCode: 4, error: { class: 'DAMAGED' } },
    ]);
    expect(schemaErrors('cli-verify', [{ file: 'x', result: 'same', exitCode: 0 }])).not.toEqual([]);
  });

  it('shows progress on a terminal only, and takes it away', async () => {
    const at = desk(['stderr']);
    await at.run(['verify', 'same'], await libraryOf(null, verdicts));
    expect(at.stderr.text).toBe('\r\x1b[Ksame: 0 %, tick 2000 of 60000000000\r\x1b[K');
  });

  it('colours only a terminal, and not with NO_COLOR', async () => {
    const library = await libraryOf(null, verdicts);
    const [plain, coloured, refused] = [desk(), desk(['stdout']), desk(['stdout'], { NO_COLOR: '1' })];
    for (const at of [plain, coloured, refused]) await at.run(['verify', 'same'], library);
    expect(coloured.stdout.text).toContain('\x1b[32msame\x1b[0m');
    expect(refused.stdout.text).toBe(plain.stdout.text);
  });

  it('ends at SIGINT with 130, not with an error', async () => {
    const at = desk();
    const interrupted = (): Promise<Verification> => {
      at.signals.emit('SIGINT');
      return Promise.reject(new CodedError('STATE', 'the verification was interrupted'));
    };
    expect(await at.run(['verify', 'a', 'b'], await libraryOf(null, interrupted))).toBe(130);
    expect(at.stderr.text).toBe('');
  });
});
