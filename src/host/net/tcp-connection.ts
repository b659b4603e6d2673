import type { Socket } from 'node:net';
import { MTU, TCP_FLAG, type TcpSegment } from './packet.js';
import { SendBuffer } from './send-buffer.js';

/** What one side of a connection in the guest's network looks like to this end of it. */
export interface TcpEndpoint {
  readonly guestPort: number;
  readonly remotePort: number;
  /** Sends a segment to the guest. */
  readonly send: (segment: TcpSegment) => void;
  /** The connection is over. */
  readonly closed: () => void;
}

const MSS = MTU - 40;
const WINDOW_SCALE = 3;
/** Bytes under way to the host's socket beyond which the guest has to wait. */
const RECEIVE_BUFFER = 512 * 1024;
/** Bytes from the socket that the guest has not acknowledged. */
const SEND_BUFFER = 1024 * 1024;
const RETRANSMIT_MS = 300;
const MAX_RETRANSMITS = 12;
const NOTHING = new Uint8Array(0);

const before = (a: number, b: number): boolean => ((a - b) | 0) < 0;

/**
 * A TCP endpoint (RFC 9293) that speaks to the guest for a socket of the host. The path to the guest loses frames only
 * when its card has no room, so that there is no congestion control: what the guest's window takes is sent.
 */
export class TcpConnection {
  /** Next byte that is expected from the guest. */
  #receiveNext = 0;
  /** First byte not acknowledged by the guest, and next byte to send. */
  #unacknowledged: number;
  #sendNext: number;
  #guestWindow = 0;
  #guestScale = 0;
  #scales = false;
  #guestMss = 536;
  /** Bytes from #unacknowledged on. */
  readonly #buffer = new SendBuffer();
  #socketEnded = false;
  #finSent = false;
  #guestEnded = false;
  #established = false;
  #isOver = false;
  #duplicates = 0;
  #retransmits = 0;
  #advertised = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly endpoint: TcpEndpoint,
    private readonly socket: Socket,
    initialSequence: number,
  ) {
    this.#unacknowledged = initialSequence;
    this.#sendNext = initialSequence;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Uint8Array) => this.#fromSocket(bytes));
    socket.on('end', () => {
      this.#socketEnded = true;
      this.#pump();
    });
    socket.on('drain', () => this.#windowOpened());
    socket.on('error', () => this.reset());
    socket.on('close', (hadError) => {
      if (hadError || !this.#socketEnded) this.reset();
    });
  }

  // ---- opening
  /** The guest called, and the socket is connected. */
  accept(syn: TcpSegment): void {
    this.#receiveNext = (syn.sequence + 1) >>> 0;
    this.#adopt(syn);
    this.#emit(TCP_FLAG.SYN | TCP_FLAG.ACK, NOTHING, true);
    this.#armTimer();
  }

  /** Somebody on the host called: the guest is asked. */
  connect(): void {
    this.#scales = true;
    this.#emit(TCP_FLAG.SYN, NOTHING, true);
    this.#armTimer();
  }

  #adopt({ mss, windowScale, window }: TcpSegment): void {
    this.#guestMss = Math.max(64, Math.min(mss ?? 536, MSS));
    this.#scales = windowScale !== undefined;
    this.#guestScale = windowScale ?? 0;
    this.#guestWindow = window;
  }

  // ---- from the guest
  receive(segment: TcpSegment): void {
    const { flags } = segment;
    if ((flags & TCP_FLAG.RST) !== 0) return this.#finish(true);
    if ((flags & TCP_FLAG.SYN) !== 0) return this.#receiveSyn(segment);
    if ((flags & TCP_FLAG.ACK) === 0) return;
    if (!this.#established) {
      if (segment.acknowledgement !== (this.#unacknowledged + 1) >>> 0) return this.reset();
      this.#establish();
    }
    this.#acknowledge(segment);
    this.#take(segment);
    if (!this.#isOver) this.#pump();
  }

  #receiveSyn(segment: TcpSegment): void {
    const isAnswer = (segment.flags & TCP_FLAG.ACK) !== 0 && !this.#established && this.#receiveNext === 0;
    if (isAnswer && segment.acknowledgement === (this.#unacknowledged + 1) >>> 0) {
      this.#receiveNext = (segment.sequence + 1) >>> 0;
      this.#adopt(segment);
      this.#establish();
      this.#emit(TCP_FLAG.ACK, NOTHING);
      this.#pump();
    } else if (!this.#established) this.#emit(TCP_FLAG.SYN | TCP_FLAG.ACK, NOTHING, true);
    else this.#emit(TCP_FLAG.ACK, NOTHING);
  }

  #establish(): void {
    this.#established = true;
    this.#unacknowledged = (this.#unacknowledged + 1) >>> 0;
    this.#sendNext = this.#unacknowledged;
    this.#retransmits = 0;
    this.#stopTimer();
    this.socket.resume();
  }

  #acknowledge({ acknowledgement, window, payload, flags }: TcpSegment): void {
    const scaled = window << this.#guestScale;
    const highest = (this.#unacknowledged + this.#buffer.length + (this.#finSent ? 1 : 0)) >>> 0;
    if (before(this.#unacknowledged, acknowledgement) && !before(highest, acknowledgement)) {
      const count = (acknowledgement - this.#unacknowledged) >>> 0;
      this.#buffer.drop(count);
      this.#unacknowledged = acknowledgement;
      if (before(this.#sendNext, acknowledgement)) this.#sendNext = acknowledgement;
      this.#duplicates = this.#retransmits = 0;
      this.#stopTimer();
      if (this.#inFlight > 0) this.#armTimer();
      if (this.#buffer.length < SEND_BUFFER / 2) this.socket.resume();
    } else if (acknowledgement === this.#unacknowledged && payload.length === 0 && scaled === this.#guestWindow) {
      // RFC 5681: the third duplicate means a loss.
      const isDuplicate = this.#inFlight > 0 && (flags & TCP_FLAG.FIN) === 0;
      if (isDuplicate && ++this.#duplicates === 3) this.#retransmit();
    }
    this.#guestWindow = scaled;
    if (this.#finSent && acknowledgement === highest && this.#guestEnded) this.#finish(false);
  }

  #take({ sequence, payload, flags }: TcpSegment): void {
    const isFin = (flags & TCP_FLAG.FIN) !== 0;
    if (payload.length === 0 && !isFin) {
      // A probe of a closed window, or a keep-alive, wants an answer.
      if (before(sequence, this.#receiveNext)) this.#emit(TCP_FLAG.ACK, NOTHING);
      return;
    }
    const skip = (this.#receiveNext - sequence) | 0;
    if (skip < 0 || skip > payload.length || this.#guestEnded) return this.#emit(TCP_FLAG.ACK, NOTHING);
    const room = this.#room;
    const fresh = payload.subarray(skip, skip + room);
    if (fresh.length > 0) {
      this.#receiveNext = (this.#receiveNext + fresh.length) >>> 0;
      this.socket.write(Uint8Array.from(fresh));
    }
    if (isFin && skip + fresh.length === payload.length) {
      this.#receiveNext = (this.#receiveNext + 1) >>> 0;
      this.#guestEnded = true;
      this.socket.end();
    }
    this.#emit(TCP_FLAG.ACK, NOTHING);
    if (this.#guestEnded && this.#finSent && this.#inFlight === 0) this.#finish(false);
  }

  get #room(): number {
    return Math.max(0, RECEIVE_BUFFER - this.socket.writableLength);
  }
  #windowOpened(): void {
    if (this.#established && !this.#isOver && this.#advertised < RECEIVE_BUFFER / 2) this.#emit(TCP_FLAG.ACK, NOTHING);
  }

  // ---- to the guest
  #fromSocket(bytes: Uint8Array): void {
    this.#buffer.append(bytes);
    if (this.#buffer.length >= SEND_BUFFER) this.socket.pause();
    this.#pump();
  }

  get #inFlight(): number {
    return (this.#sendNext - this.#unacknowledged) >>> 0;
  }

  /** Sends what the guest's window takes. */
  #pump(): void {
    if (!this.#established || this.#isOver) return;
    for (;;) {
      const at = this.#inFlight;
      const left = this.#buffer.length - at;
      const room = this.#guestWindow - at;
      if (left <= 0 || room <= 0) break;
      const count = Math.min(left, room, this.#guestMss);
      const isLast = count === left;
      this.#emit(TCP_FLAG.ACK | (isLast ? TCP_FLAG.PSH : 0), this.#buffer.read(at, count));
      this.#sendNext = (this.#sendNext + count) >>> 0;
    }
    if (this.#socketEnded && !this.#finSent && this.#inFlight >= this.#buffer.length) {
      this.#emit(TCP_FLAG.ACK | TCP_FLAG.FIN, NOTHING);
      this.#finSent = true;
      this.#sendNext = (this.#sendNext + 1) >>> 0;
    }
    // With a closed window the timer probes.
    if (this.#inFlight > 0 || this.#buffer.length > 0) this.#armTimer();
  }

  #emit(flags: number, payload: Uint8Array, isSyn = false): void {
    const { guestPort, remotePort, send } = this.endpoint;
    this.#advertised = this.#room;
    const scale = this.#scales && !isSyn ? WINDOW_SCALE : 0;
    send({
      fromPort: remotePort,
      toPort: guestPort,
      sequence: isSyn ? this.#unacknowledged : this.#sendNext,
      acknowledgement: (flags & TCP_FLAG.ACK) !== 0 ? this.#receiveNext : 0,
      flags,
      window: Math.min(0xffff, this.#advertised >> scale),
      payload,
      ...(isSyn ? { mss: MSS, ...(this.#scales ? { windowScale: WINDOW_SCALE } : {}) } : {}),
    });
  }

  /** Everything from the first byte that the guest misses. */
  #retransmit(): void {
    if (!this.#established) {
      this.#emit(this.#receiveNext === 0 ? TCP_FLAG.SYN : TCP_FLAG.SYN | TCP_FLAG.ACK, NOTHING, true);
    } else {
      this.#sendNext = this.#unacknowledged;
      if (this.#finSent && this.#buffer.length === 0) this.#finSent = false;
      if (this.#guestWindow === 0 && this.#buffer.length > 0) {
        this.#emit(TCP_FLAG.ACK, this.#buffer.read(0, 1));
        this.#sendNext = (this.#sendNext + 1) >>> 0;
      } else {
        this.#finSent = false;
        this.#pump();
      }
    }
  }

  #armTimer(): void {
    if (this.#timer !== null || this.#isOver) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        if (++this.#retransmits > MAX_RETRANSMITS) return this.reset();
        this.#retransmit();
        this.#armTimer();
      },
      RETRANSMIT_MS * Math.min(16, 2 ** this.#retransmits),
    );
    this.#timer.unref();
  }
  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  // ---- ending
  /** Breaks the connection off on both sides. Idempotent. */
  reset(): void {
    if (this.#isOver) return;
    this.#emit(TCP_FLAG.RST | TCP_FLAG.ACK, NOTHING);
    this.#finish(true);
  }

  #finish(isBroken: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer();
    this.#buffer.clear();
    if (isBroken) this.socket.destroy();
    else this.socket.end();
    this.endpoint.closed();
  }
}
