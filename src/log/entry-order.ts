import { CodedError } from '../base/errors.js';
import type { Tick } from '../core/clock.js';
import type { Message } from './chunk-content.js';
import { decodeEntry, ENTRY_KINDS, isLogKind, type LogEntry } from './entries.js';
import type { SectionReference } from './meta.js';

/**
 * The grammar of a recording: meta, snapshot, then log entries and checkpoints, then end. Fed with every message in
 * file order; throws DAMAGED at the first that does not fit.
 */
export class EntryOrder {
  #hasMeta = false;
  #hasSnapshot = false;
  #hasEnd = false;
  #tick: Tick = 0;
  #sequence = 0;
  /** The state being read: its sections still to come, the first of them with its next block's number. */
  #sections: readonly SectionReference[] = [];
  #block = 0;
  #stateKind: 'snapshot' | 'checkpoint' = 'snapshot';

  /** The snapshot is whole. */
  get hasSnapshot(): boolean {
    return this.#hasSnapshot && (this.#stateKind !== 'snapshot' || this.#sections.length === 0);
  }
  /** Not within a state: a recording may be cut here. */
  get isAtRest(): boolean {
    return this.hasSnapshot && this.#sections.length === 0;
  }
  get hasEnd(): boolean {
    return this.#hasEnd;
  }
  /** Of the last message. */
  get tick(): Tick {
    return this.#tick;
  }
  /** Log entries so far, which is also the next one's sequence number. */
  get entryCount(): number {
    return this.#sequence;
  }

  /** Returns the entry if the message is one of the log. */
  accept(message: Message, where: string): LogEntry | undefined {
    const problem = this.#problem(message, where);
    if (problem !== undefined) throw new CodedError('DAMAGED', problem, { where });
    this.#tick = message.tick;
    if (!isLogKind(message.kind)) return undefined;
    this.#sequence++;
    this.#hasEnd = message.kind === 'end';
    return decodeEntry(message.kind, message.suffix, message.tick, message.data, where);
  }

  #problem(message: Message, where: string): string | undefined {
    const { kind, tick, sequence } = message;
    if (this.#hasEnd) return 'something follows the end';
    if (tick < this.#tick) return `tick ${tick} after tick ${this.#tick}`;
    if (!this.#hasMeta) {
      this.#hasMeta = kind === 'meta';
      return this.#hasMeta ? undefined : 'the meta entry is missing';
    }
    if (this.#sections.length > 0) return this.#blockProblem(message, where);
    if (kind === 'snapshot' || kind === 'checkpoint') return this.#beginState(kind, message, where);
    if (!this.#hasSnapshot) return 'the snapshot is missing';
    if (!isLogKind(kind)) return `a misplaced ${kind}`;
    return sequence === this.#sequence ? undefined : `entry ${sequence} where entry ${this.#sequence} is expected`;
  }

  #beginState(kind: 'snapshot' | 'checkpoint', message: Message, where: string): string | undefined {
    if ((kind === 'snapshot') === this.#hasSnapshot) return `a misplaced ${kind}`;
    this.#hasSnapshot = true;
    this.#stateKind = kind;
    this.#sections = ENTRY_KINDS[kind].payload.decode(message.data, where).sections;
    this.#block = 0;
    return undefined;
  }

  #blockProblem(message: Message, where: string): string | undefined {
    const [section, ...others] = this.#sections;
    if (message.kind !== `${this.#stateKind}-block` || message.suffix !== section!.name) {
      return `the section "${section!.name}" of a ${this.#stateKind} is cut off`;
    }
    if (message.sequence !== this.#block) return `block ${message.sequence} where block ${this.#block} is expected`;
    this.#block++;
    if (ENTRY_KINDS['snapshot-block'].payload.decode(message.data, where).last) {
      this.#sections = others;
      this.#block = 0;
    }
    return undefined;
  }
}
