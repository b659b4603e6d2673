import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import type { CompiledRegion, RegionCompiler } from '../cpu/region/region-compiler.js';
import type { RegionJob } from '../cpu/region/region-job.js';

export interface RegionRequest {
  readonly id: number;
  readonly job: RegionJob;
}

export type RegionAnswer = { readonly id: number } & (
  { readonly region: CompiledRegion } | { readonly problem: string }
);

export interface RegionWorkerData {
  readonly port: MessagePort;
  /** One number: answers sent so far. */
  readonly answered: Int32Array;
}

/** Requests under way at a time: what waits longer is out of date when its turn comes. */
const MAX_PENDING = 64;
/** The thread's young objects live as long as one region's compilation. */
const YOUNG_GENERATION_MB = 32;

type Done = (region: CompiledRegion | null) => void;

/**
 * Compiles regions in a thread of its own, started at the first one, while the guest runs on in the other tier. When an
 * answer comes depends on the host; the guest cannot tell.
 */
export class BackgroundCompiler implements RegionCompiler {
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  readonly #pending = new Map<number, Done>();
  #port: MessagePort | null = null;
  #taken = 0;
  #nextId = 0;
  #hasFailed = false;

  constructor(
    private readonly workerFile: URL,
    /** Does the work where no thread can be had. */
    private readonly fallback: RegionCompiler,
  ) {}

  get isBusy(): boolean {
    return this.#pending.size >= MAX_PENDING;
  }

  compile(job: RegionJob, done: Done): void {
    const port = this.#start();
    if (port === null) {
      this.fallback.compile(job, done);
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, done);
    port.postMessage({ id, job } satisfies RegionRequest);
  }

  poll(): void {
    if (Atomics.load(this.#answered, 0) === this.#taken || this.#port === null) return;
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: RegionAnswer } | undefined;
      if (received === undefined) return;
      this.#taken = (this.#taken + 1) | 0;
      const { message } = received;
      const done = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      assert('region' in message, `a region does not compile: ${'problem' in message ? message.problem : ''}`);
      done?.(message.region);
    }
  }

  #start(): MessagePort | null {
    if (this.#port !== null || this.#hasFailed) return this.#port;
    const { port1, port2 } = new MessageChannel();
    const workerData: RegionWorkerData = { port: port2, answered: this.#answered };
    try {
      const worker = new Worker(this.workerFile, {
        workerData,
        transferList: [port2],
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      worker.once('error', () => this.#fail());
      worker.unref();
    } catch {
      this.#fail();
      return null;
    }
    this.#port = port1;
    return port1;
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#port = null;
    for (const done of this.#pending.values()) done(null);
    this.#pending.clear();
  }
}
