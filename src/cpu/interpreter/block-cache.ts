import { assert } from '../../base/assert.js';
import { CS, DS, STATE, gprSlot } from '../../isa/cpu-state.js';
import type { Decoded, DecodeOutcome, Decoder } from '../decode/decoder.js';
import { MAX_INSTRUCTION_BYTES } from '../decode/decoder.js';
import { LAYOUT, PAGE_FLAG } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { bytesInFirst, hasBytes, NO_PAGE, type Block } from './block.js';
import { fixedSlot } from './record-context.js';
import { lookupSlotOf, MODE } from './main-loop.js';
import { PollingLoop } from './polling-loop.js';
import { RECORD, RECORD_BYTES, SPECIAL } from './record.js';

const PAGE = 4096;
const MAX_BLOCK_INSTRUCTIONS = 64;
/** Code is looked for by lines of 64 bytes: see LAYOUT.codeLines. */
const LINE_SHIFT = 6;
/** Records a block can need: profile, straddle check, instructions, end. */
const MAX_BLOCK_RECORDS = MAX_BLOCK_INSTRUCTIONS + 3;

/** How a form is executed: its case in the main loop (0 = generic only) and its slot in the function table. */
export interface HandlerIndex {
  readonly hot: number;
  /** The main-loop case is `hot` + the opcode's condition. */
  readonly perCondition: boolean;
  readonly generic: number;
  /** Execution does not go on with the next record, or need not: a system routine may change what is assumed of it. */
  readonly ends: boolean;
  /** Execution never goes on with the next record. */
  readonly leaves: boolean;
}

export interface BlockCacheOptions {
  readonly physical: PhysicalMemory;
  readonly decoder: Decoder;
  /** By form id. */
  readonly handlers: readonly HandlerIndex[];
  readonly undefinedOpcode: HandlerIndex;
  readonly tooLong: HandlerIndex;
  /** Engine address of a code byte, 0 for a device, -1 after raising a fault. */
  readonly translate: (linear: number) => number;
  /** Physical address of the byte that translate() returned 0 for last. */
  readonly devicePhysical: () => number;
  /** The block just fetched comes from a device: it must be fetched anew for each tick. */
  readonly onUncached: () => void;
  /** Runs of a block until it counts as hot; 0 when nobody wants to know. */
  readonly hotRuns: number;
  readonly onDropped: (block: Block) => void;
  /** All records are gone, and their place is used again. */
  readonly onCleared: () => void;
}

/** What a block is decoded from. */
interface BlockStart {
  readonly eip: number;
  readonly linear: number;
  /** Engine address of the first byte, 0 for a device. */
  readonly host: number;
  /** The device's physical address. */
  readonly device: number;
  /** Last EIP that CS allows. */
  readonly limit: number;
  readonly flat: boolean;
  readonly code32: boolean;
}

/** First byte of the page behind the one of `linear`. */
function nextPage(linear: number): number {
  return (((linear & ~(PAGE - 1)) >>> 0) + PAGE) >>> 0;
}

/**
 * Decoded code. Blocks are keyed by physical address and mode, so that they survive address-space switches; a write to
 * their bytes turns their records into REFETCH. A cache only: dropping any of it changes nothing.
 */
export class BlockCache {
  readonly #blocks = new Map<number, Block>();
  readonly #byPage = new Map<number, Set<Block>>();
  /** By line of LINE bytes, counted from the start of RAM: blocks with bytes there. */
  readonly #byLine = new Map<number, Set<Block>>();
  readonly #byRecord = new Map<number, Block>();
  readonly #view: DataView;
  readonly #u8: Uint8Array;
  #free: number = LAYOUT.records;
  readonly #window = new Uint8Array(MAX_INSTRUCTION_BYTES);
  readonly #polling = new PollingLoop();

  constructor(private readonly options: BlockCacheOptions) {
    this.#view = options.physical.view;
    this.#u8 = options.physical.u8;
  }

  /** First record of the block at `eip`, 0 when fetching faulted. */
  fetch(eip: number): number {
    const view = this.#view;
    const base = view.getUint32(STATE.segBase + 4 * CS, true);
    const linear = (base + eip) >>> 0;
    const host = this.options.translate(linear);
    if (host === -1) return 0;
    const flat = view.getUint32(STATE.flat, true) !== 0;
    const code32 = (view.getUint32(STATE.segAccess + 4 * CS, true) & 0x4000) !== 0;
    const mode = MODE.PRESENT | (flat ? MODE.FLAT : 0) | (code32 ? MODE.CODE32 : 0);
    const limit = flat ? 0xffff_ffff : view.getUint32(STATE.segLimit + 4 * CS, true);
    if (host !== 0) {
      const known = this.#blocks.get((host - LAYOUT.ram) * 4 + (mode & 3));
      if (known !== undefined && eip + known.byteLength - 1 <= limit) {
        const second = known.secondHost === NO_PAGE ? NO_PAGE : this.options.translate(nextPage(linear));
        if (second === -1) return 0;
        if (second === known.secondHost) {
          this.#publish(known, mode);
          return known.firstRecord;
        }
      }
    }
    return this.#decode({
      eip,
      linear,
      host,
      device: host === 0 ? this.options.devicePhysical() : 0,
      limit,
      flat,
      code32,
    });
  }

  /** The block of flat 32-bit code at an engine address, if it is decoded. */
  flatBlock(host: number): Block | undefined {
    return this.#blocks.get((host - LAYOUT.ram) * 4 + ((MODE.FLAT | MODE.CODE32) & 3));
  }
  blockOfRecord(firstRecord: number): Block | undefined {
    return this.#byRecord.get(firstRecord);
  }

  #publish(block: Block, mode: number): void {
    const slot = lookupSlotOf(block.physical) >> 2;
    const i32 = this.options.physical.i32;
    i32[slot] = block.physical;
    i32[slot + 1] = mode;
    i32[slot + 2] = block.firstRecord;
    i32[slot + 3] = block.byteLength - 1;
  }

  /** Decodes and writes a block; 0 when its first instruction cannot be fetched. */
  #decode(at: BlockStart): number {
    if (this.#free + (MAX_BLOCK_RECORDS + 1) * RECORD_BYTES > LAYOUT.recordsEnd) this.clear();
    const firstRecord = this.#free;
    if (this.options.hotRuns > 0 && at.flat && at.code32 && at.host !== 0) this.#writeProfile();
    const pageLeft = PAGE - (at.linear & (PAGE - 1));
    // A device may answer differently every time: never look beyond the instruction that is due.
    const most = at.host === 0 ? 1 : MAX_BLOCK_INSTRUCTIONS;
    let secondHost = NO_PAGE;
    let offset = 0;
    this.#polling.begin();
    for (let count = 0; count < most && offset < pageLeft; count++) {
      // Bytes that CS allows from here on.
      const allowed = at.limit - (at.eip + offset) + 1;
      let outcome = allowed <= 0 ? 'short' : this.#decodeInPage(at, offset, Math.min(pageLeft - offset, allowed));
      if (outcome === 'short') {
        if (count > 0) break;
        if (allowed <= pageLeft) return this.#raiseGeneralProtection();
        secondHost = this.options.translate(nextPage(at.linear));
        if (secondHost === -1) return 0;
        outcome = this.#decodeAcrossPages(at, secondHost, allowed);
        if (outcome === 'short') return this.#raiseGeneralProtection();
        // Its check comes first, so that it is not made twice.
        this.#free = firstRecord;
        if (at.host !== 0 && secondHost !== 0) this.#writeSpecial(SPECIAL.STRADDLE, 0, secondHost);
      }
      const { result } = this.options.decoder;
      if (outcome === 'ok') this.#polling.add(result, this.#free, offset);
      const ends = this.#writeRecord(result, outcome === 'too-long', offset, at.flat, at.code32);
      offset += outcome === 'too-long' ? 1 : result.length;
      if (ends || secondHost !== NO_PAGE) break;
    }
    this.#writeSpecial(SPECIAL.END, offset, 0);
    const loop = this.#polling.end();
    if (loop !== null) this.#view.setInt32(loop.input + RECORD.immediate2, loop.ticks, true);
    if (at.host !== 0 && secondHost !== 0) this.#register(at, firstRecord, offset, secondHost);
    else this.options.onUncached();
    return firstRecord;
  }

  /** Decodes the instruction `offset` bytes into the block from `bytes` bytes of its first page. */
  #decodeInPage(at: BlockStart, offset: number, bytes: number): DecodeOutcome {
    const { decoder } = this.options;
    const start = at.host + offset;
    if (at.host !== 0) return decoder.decode(this.#u8, start, start + bytes, at.code32);
    const n = Math.min(bytes, MAX_INSTRUCTION_BYTES);
    this.#copyCode(at.host, at.device, 0, n);
    return decoder.decode(this.#window, 0, n, at.code32);
  }

  /** Decodes an instruction whose last bytes lie at the start of the page at `secondHost`. */
  #decodeAcrossPages(at: BlockStart, secondHost: number, allowed: number): DecodeOutcome {
    const n = Math.min(MAX_INSTRUCTION_BYTES, allowed);
    const inFirst = PAGE - (at.linear & (PAGE - 1));
    const secondDevice = secondHost === 0 ? this.options.devicePhysical() : 0;
    this.#copyCode(at.host, at.device, 0, inFirst);
    this.#copyCode(secondHost, secondDevice, inFirst, n - inFirst);
    return this.options.decoder.decode(this.#window, 0, n, at.code32);
  }

  /** Code bytes into the window: from engine memory, or from the device at a physical address when `host` is 0. */
  #copyCode(host: number, device: number, to: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.#window[to + i] = host !== 0 ? this.#u8[host + i] : this.options.physical.mmioRead(device + i, 1);
    }
  }

  #register(at: BlockStart, firstRecord: number, byteLength: number, secondHost: number): void {
    const physical = at.host - LAYOUT.ram;
    const mode = MODE.PRESENT | (at.flat ? MODE.FLAT : 0) | (at.code32 ? MODE.CODE32 : 0);
    const pages = [physical >>> 12];
    if (secondHost !== NO_PAGE) pages.push((secondHost - LAYOUT.ram) >>> 12);
    const block: Block = {
      key: physical * 4 + (mode & 3),
      physical,
      firstRecord,
      recordCount: (this.#free - firstRecord) / RECORD_BYTES,
      byteLength,
      pages,
      secondHost,
    };
    const old = this.#blocks.get(block.key);
    if (old !== undefined) this.#drop(old);
    this.#blocks.set(block.key, block);
    this.#byRecord.set(firstRecord, block);
    const inFirst = bytesInFirst(block);
    this.#markLines(block, physical, inFirst);
    if (secondHost !== NO_PAGE) this.#markLines(block, secondHost - LAYOUT.ram, byteLength - inFirst);
    for (const page of pages) {
      let set = this.#byPage.get(page);
      if (set === undefined) this.#byPage.set(page, (set = new Set()));
      set.add(block);
      this.options.physical.setFlag(page, PAGE_FLAG.CODE);
    }
    this.#publish(block, mode);
  }

  #markLines(block: Block, physical: number, bytes: number): void {
    for (let line = physical >>> LINE_SHIFT; line <= (physical + bytes - 1) >>> LINE_SHIFT; line++) {
      let set = this.#byLine.get(line);
      if (set === undefined) {
        this.#byLine.set(line, (set = new Set()));
        this.#u8[LAYOUT.codeLines + (line >> 3)] |= 1 << (line & 7);
      }
      set.add(block);
    }
  }

  #unmarkLines(block: Block, physical: number, bytes: number): void {
    for (let line = physical >>> LINE_SHIFT; line <= (physical + bytes - 1) >>> LINE_SHIFT; line++) {
      const set = this.#byLine.get(line);
      if (set === undefined || !set.delete(block) || set.size > 0) continue;
      this.#byLine.delete(line);
      this.#u8[LAYOUT.codeLines + (line >> 3)] &= ~(1 << (line & 7));
    }
  }

  /**
   * Bytes of a page that holds code changed: drops the blocks that have one of them. True if there were any. Data in the
   * midst of code is common in 16-bit programs, and so is code that is written while its neighbours run.
   */
  written(host: number, bytes: number): boolean {
    const physical = host - LAYOUT.ram;
    // What lies behind the page's end is another's business.
    const end = Math.min(physical + bytes, (physical | (PAGE - 1)) + 1);
    let dropped = false;
    for (let line = physical >>> LINE_SHIFT; line <= (end - 1) >>> LINE_SHIFT; line++) {
      if ((this.#u8[LAYOUT.codeLines + (line >> 3)] & (1 << (line & 7))) === 0) continue;
      for (const block of this.#byLine.get(line)!) {
        if (!hasBytes(block, physical, end)) continue;
        this.#drop(block);
        dropped = true;
      }
    }
    return dropped;
  }

  #dropPage(page: number): void {
    const set = this.#byPage.get(page);
    if (set !== undefined) for (const block of set) this.#drop(block);
  }

  #drop(block: Block): void {
    if (this.#blocks.get(block.key) === block) this.#blocks.delete(block.key);
    this.#byRecord.delete(block.firstRecord);
    const { physical, byteLength, secondHost } = block;
    const inFirst = bytesInFirst(block);
    this.#unmarkLines(block, physical, inFirst);
    if (secondHost !== NO_PAGE) this.#unmarkLines(block, secondHost - LAYOUT.ram, byteLength - inFirst);
    for (const page of block.pages) {
      const set = this.#byPage.get(page);
      if (set === undefined || !set.delete(block) || set.size > 0) continue;
      this.#byPage.delete(page);
      this.options.physical.clearFlag(page, PAGE_FLAG.CODE);
    }
    for (let i = 0; i < block.recordCount; i++) {
      this.#view.setUint16(block.firstRecord + i * RECORD_BYTES + RECORD.hot, SPECIAL.REFETCH, true);
    }
    const slot = lookupSlotOf(block.physical) >> 2;
    const i32 = this.options.physical.i32;
    if (i32[slot + 2] === block.firstRecord) i32[slot + 1] = 0;
    this.options.onDropped(block);
  }

  /** Forgets everything. Only between blocks. Each dropped block takes its lookup entry along. */
  clear(): void {
    for (const page of [...this.#byPage.keys()]) this.#dropPage(page);
    this.#blocks.clear();
    this.#free = LAYOUT.records;
    this.options.onCleared();
  }

  #raiseGeneralProtection(): number {
    this.#view.setUint32(STATE.faultVector, 0x100 | 13, true);
    this.#view.setUint32(STATE.faultError, 0, true);
    return 0;
  }

  #next(): number {
    const at = this.#free;
    this.#free += RECORD_BYTES;
    const { i32 } = this.options.physical;
    for (let word = at >> 2; word < this.#free >> 2; word++) i32[word] = 0;
    return at;
  }

  #writeProfile(): void {
    const at = this.#next();
    this.#view.setUint16(at + RECORD.hot, SPECIAL.PROFILE, true);
    this.#view.setInt32(at + RECORD.immediate, this.options.hotRuns, true);
  }

  #writeSpecial(special: number, offset: number, immediate: number): void {
    const at = this.#next();
    this.#view.setUint16(at + RECORD.hot, special, true);
    this.#view.setUint16(at + RECORD.offset, offset, true);
    this.#view.setInt32(at + RECORD.immediate, immediate === 0 ? 0 : immediate & ~0xfff, true);
  }

  /** Writes the record of `d`; true when the block ends behind it. */
  #writeRecord(d: Decoded, tooLong: boolean, offset: number, flat: boolean, code32: boolean): boolean {
    const view = this.#view;
    const at = this.#next();
    view.setUint16(at + RECORD.offset, offset, true);
    const form = tooLong ? null : d.form;
    if (form === null) {
      const handler = tooLong ? this.options.tooLong : this.options.undefinedOpcode;
      view.setUint16(at + RECORD.generic, handler.generic, true);
      view.setUint8(at + RECORD.length, 1);
      return true;
    }
    const handler = this.options.handlers[form.id];
    assert(handler !== undefined, 'form without handler');
    // Hot forms assume flat segments, which FS and GS need not be, and 32-bit addresses.
    const hot =
      flat && code32 && d.segment <= DS && d.address32
        ? handler.hot + (handler.perCondition ? d.opcode & 15 : 0)
        : SPECIAL.GENERIC;
    view.setUint16(at + RECORD.hot, hot, true);
    view.setUint16(at + RECORD.generic, handler.generic, true);
    view.setUint8(at + RECORD.length, d.length);
    view.setUint8(at + RECORD.segment, d.segment);
    view.setUint8(at + RECORD.condition, (d.opcode & 15) | (d.repeat === 0 ? 0 : (d.repeat - 0xf1) << 4));
    view.setUint32(at + RECORD.addressMask, d.address32 ? 0xffff_ffff : 0xffff, true);
    const { operands, instruction } = form.encoding;
    if (instruction.options.unit === 'x87') {
      view.setUint16(at + RECORD.reg, ((d.opcode & 7) << 8) | d.modrm, true);
    }
    if (form.memory) {
      view.setUint16(at + RECORD.rm, d.base < 0 ? STATE.zero : gprSlot(d.base), true);
      view.setUint16(at + RECORD.index, d.index < 0 ? STATE.zero : gprSlot(d.index), true);
      view.setUint8(at + RECORD.scale, d.scale);
      view.setInt32(at + RECORD.displacement, d.displacement, true);
    }
    let immediate = d.immediate;
    for (const o of operands) {
      const width = o.width[form.operandSize === 32 ? 1 : 0];
      if (o.source === 'rm' && !form.memory)
        view.setUint16(at + RECORD.rm, fixedSlot(o.file, width, d.modrm & 7), true);
      else if (o.source === 'reg') view.setUint16(at + RECORD.reg, fixedSlot(o.file, width, (d.modrm >> 3) & 7), true);
      else if (o.source === 'opcode') view.setUint16(at + RECORD.reg, fixedSlot(o.file, width, d.opcode & 7), true);
      else if (o.source === 'relative') immediate = offset + d.length + d.immediate;
    }
    view.setInt32(at + RECORD.immediate, immediate, true);
    view.setInt32(at + RECORD.immediate2, d.immediate2, true);
    // Code that is not flat assumes nothing, and whoever changed the mode has EIP looked up anew.
    return flat ? handler.ends : handler.leaves;
  }
}
