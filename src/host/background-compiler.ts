import type { CompiledRegion, RegionCompiler } from '../cpu/region/region-compiler.js';
import type { RegionJob } from '../cpu/region/region-job.js';
import { WorkerChannel } from './worker-channel.js';

/** Requests under way at a time: what waits longer is out of date when its turn comes. */
const MAX_PENDING = 64;

/**
 * Compiles regions in a thread while the guest runs on in the other tier. When an answer comes depends on the host; the
 * guest cannot tell.
 */
export class BackgroundCompiler implements RegionCompiler {
  readonly #channel: WorkerChannel<RegionJob, CompiledRegion>;

  constructor(
    workerFile: URL,
    /** Does the work where no thread can be had. */
    private readonly fallback: RegionCompiler,
  ) {
    this.#channel = new WorkerChannel(workerFile);
    // A guest has hot code within milliseconds, and a thread takes a hundred times as long to get ready.
    this.#channel.start();
  }

  get isBusy(): boolean {
    return this.#channel.pending >= MAX_PENDING;
  }

  compile(job: RegionJob, done: (region: CompiledRegion | null) => void): void {
    const buffers = [job.blocks, job.successors, job.entries, job.instructions, job.records].map(
      ({ buffer }) => buffer as ArrayBuffer,
    );
    const isSent = this.#channel.send(job, (region) => done(region ?? null), buffers);
    if (!isSent) this.fallback.compile(job, done);
  }

  poll(): void {
    this.#channel.poll();
  }
}
