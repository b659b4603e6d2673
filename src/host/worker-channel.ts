import { MessageChannel, receiveMessageOnPort, Worker, workerData, type MessagePort } from 'node:worker_threads';

/** What a thread is started with. */
interface ChannelData {
  readonly port: MessagePort;
  /** One number: answers sent so far. */
  readonly answered: Int32Array;
}

interface Answered<A> {
  readonly id: number;
  /** Undefined when the thread could not answer. */
  readonly answer: A | undefined;
}

/** Of a thread's heap for young objects: they live as long as one request. */
const YOUNG_GENERATION_MB = 24;

/**
 * A thread that answers requests, started at the first one if not before. Answers are taken when poll() or wait() is called, never from
 * the event loop: whoever asks may be busy for seconds. It does not keep the process alive.
 */
export class WorkerChannel<Q, A> {
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, (answer: A | undefined) => void>();
  #port: MessagePort | null = null;
  #taken = 0;
  #nextId = 0;
  #hasFailed = false;

  /** `file` is a module that calls serveRequests(). */
  constructor(private readonly file: URL) {}

  /** Requests without an answer. */
  get pending(): number {
    return this.#waiting.size;
  }

  /**
   * False when there is no thread; else `done` gets the answer, or undefined when there will be none. `handedOver` are
   * buffers of the request that are of no use here any more then.
   */
  send(request: Q, done: (answer: A | undefined) => void, handedOver: readonly ArrayBuffer[] = []): boolean {
    const port = this.#start();
    if (port === null) return false;
    const id = this.#nextId++;
    this.#waiting.set(id, done);
    port.postMessage({ id, request }, handedOver);
    return true;
  }

  /** Hands out the answers that have come. */
  poll(): void {
    if (this.#port === null || Atomics.load(this.#answered, 0) === this.#taken) return;
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: Answered<A> } | undefined;
      if (received === undefined) return;
      this.#taken = (this.#taken + 1) | 0;
      const { id, answer } = received.message;
      const done = this.#waiting.get(id);
      this.#waiting.delete(id);
      done?.(answer);
    }
  }

  /** Blocks until all requests are answered, or none has been for `patienceMs`: then they count as failed. */
  wait(patienceMs: number): void {
    for (;;) {
      const seen = Atomics.load(this.#answered, 0);
      this.poll();
      if (this.#waiting.size === 0) return;
      if (Atomics.wait(this.#answered, 0, seen, patienceMs) === 'timed-out') this.#fail();
    }
  }

  /** Starts the thread, so that it is ready when the first request comes. */
  start(): void {
    this.#start();
  }

  #start(): MessagePort | null {
    if (this.#port !== null || this.#hasFailed) return this.#port;
    const { port1, port2 } = new MessageChannel();
    const workerData: ChannelData = { port: port2, answered: this.#answered };
    try {
      const worker = new Worker(this.file, {
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
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const done of waiting) done(undefined);
  }
}

/** The thread's side: answers every request, in order. */
export function serveRequests<Q, A>(answerTo: (request: Q) => A): void {
  const { port, answered } = workerData as ChannelData;
  port.on('message', ({ id, request }: { id: number; request: Q }) => {
    let answer: A | undefined;
    try {
      answer = answerTo(request);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
    port.postMessage({ id, answer } satisfies Answered<A>);
    Atomics.add(answered, 0, 1);
    Atomics.notify(answered, 0);
  });
}
