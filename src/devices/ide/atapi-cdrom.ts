/**
 * An ATAPI drive for CDs and DVDs, read only. ATA/ATAPI-6 (T13/1410D rev 3b), 8.23 and 9.8 to 9.10; commands: MMC-3
 * (T10/1363-D rev 10g).
 *
 * NOT implemented: audio, sessions beyond the first, writing, DVD structures, overlapped commands, error correction bytes
 * of raw blocks.
 */
import { ERROR, REASON } from './ata-registers.js';
import { SOURCE, STEP } from './drive-state.js';
import { isTransferMode } from './ata-disk.js';
import { identifyCd } from './identify.js';
import { BLOCK_NS, COMMAND_NS, IdeDrive, SECTOR_NS, type DriveOptions } from './ide-drive.js';
import * as replies from './packet-replies.js';

const PACKET_BYTES = 12;
const BLOCK_BYTES = 2048;
const RAW_BYTES = 2352;
/** Sectors of the medium in a block. */
const SECTORS = 4;
/** Of one command: as many as READ (10) can ask for. */
const MAX_BLOCKS = 0xffff;
const FEATURE_DMA = 0x01;
const IDENTIFY_PACKET_DEVICE = 0xa1;
const PACKET = 0xa0;

/** Sense keys and additional codes (SPC-2, 7.23). */
const NOT_READY = 0x02;
const ILLEGAL_REQUEST = 0x05;
const UNIT_ATTENTION = 0x06;
const MEDIUM_NOT_PRESENT = 0x3a;
const INVALID_OPCODE = 0x20;
const OUT_OF_RANGE = 0x21;
const INVALID_FIELD = 0x24;
const MEDIUM_CHANGED = 0x28;
const REMOVAL_PREVENTED = 0x53;

/** Media events. */
const NEW_MEDIUM = 2;
const MEDIUM_REMOVED = 3;

export class AtapiCdrom extends IdeDrive {
  constructor(
    id: string,
    private readonly serial: string,
    options: DriveOptions,
  ) {
    super(id, options);
  }

  override powerOn(): void {
    super.powerOn();
    this.state.transferMode = 0x0c;
  }

  protected signature(): void {
    Object.assign(this.state, { sectorCount: 1, lbaLow: 1, lbaMid: 0x14, lbaHigh: 0xeb, status: 0 });
  }

  /** Only the packet itself is written. */
  protected get isDataOut(): boolean {
    return this.state.command === PACKET && (this.state.sectorCount & (REASON.CD | REASON.IO)) === REASON.CD;
  }

  /** 2048-byte blocks of the medium, 0 without one or with the tray open. */
  get #blocks(): number {
    return this.state.isTrayOpen ? 0 : Math.floor(this.disk.sectorCount / SECTORS);
  }

  protected execute(command: number): void {
    const { state } = this;
    switch (command) {
      case 0x08: // DEVICE RESET
        this.stop();
        state.error = 0x01;
        return this.signature();
      case PACKET:
        Object.assign(state, { sectorCount: REASON.CD, source: SOURCE.reply, replyBytes: 0, replyPosition: 0 });
        return this.requestBlock(PACKET_BYTES, false);
      case IDENTIFY_PACKET_DEVICE:
        return this.begin(STEP.load, COMMAND_NS);
      case 0xef: // SET FEATURES
        if (state.features === 0x03 && isTransferMode(state.sectorCount)) state.transferMode = state.sectorCount;
        else if (state.features !== 0x66 && state.features !== 0xcc) return this.fail();
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xe0: // power management
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe6:
      case 0xe7: // FLUSH CACHE
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xe5: // CHECK POWER MODE
        state.sectorCount = 0xff;
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xec: // IDENTIFY DEVICE is refused with the signature (8.15.5.2)
        this.signature();
        return this.fail();
      default:
        return this.fail(ERROR.ABRT);
    }
  }

  protected override blockWritten(): void {
    this.begin(STEP.packet, COMMAND_NS);
  }
  protected storeBlock(): void {}

  // ---- data to the host
  protected loadBlock(): Uint8Array {
    const { state } = this;
    if (state.command === IDENTIFY_PACKET_DEVICE) return identifyCd(this.serial, state.transferMode);
    // The host's limit (9.9): an odd one counts only for the last block.
    const limit = state.lbaMid | (state.lbaHigh << 8);
    const left = state.replyBytes - state.replyPosition;
    const most = limit === 0 || limit === 0xffff ? 0xfffe : limit;
    const count = left <= most ? left : Math.max(2, most & ~1);
    const block = this.#data(state.replyPosition, Math.min(count, left));
    if (block.length === 0) {
      this.#end(NOT_READY, MEDIUM_NOT_PRESENT);
      return block;
    }
    state.replyPosition += block.length;
    // The size of this block, and the limit of the next: the limit itself, or its even part.
    Object.assign(state, { lbaMid: block.length & 0xff, lbaHigh: block.length >> 8, sectorCount: REASON.IO });
    return block;
  }

  protected blockRead(): void {
    const { state } = this;
    if (state.command !== PACKET) {
      this.stop();
      state.status = this.ready;
      return;
    }
    if (state.replyPosition >= state.replyBytes) return this.#end();
    this.begin(STEP.load, BLOCK_NS + Math.ceil(state.buffer.length / 512) * SECTOR_NS);
  }

  /** Bytes of the answer; none where the medium is not there any more. */
  #data(position: number, count: number): Uint8Array {
    const { state } = this;
    if (state.source === SOURCE.reply) return state.reply.slice(position, position + count);
    const size = state.source === SOURCE.rawMedium ? RAW_BYTES : BLOCK_BYTES;
    const first = Math.floor(position / size);
    const end = Math.ceil((position + count) / size);
    if (state.lba + end > this.#blocks) return new Uint8Array(0);
    const start = position - first * size;
    const plain = this.disk.read((state.lba + first) * SECTORS, (end - first) * SECTORS);
    if (state.source === SOURCE.medium) return plain.slice(start, start + count);
    const raw = new Uint8Array((end - first) * RAW_BYTES);
    for (let i = 0; i < end - first; i++) {
      const data = plain.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
      raw.set(replies.rawBlock(state.lba + first + i, data), i * RAW_BYTES);
    }
    return raw.slice(start, start + count);
  }

  protected get dmaNs(): number {
    return Math.ceil(this.state.replyBytes / 512) * SECTOR_NS;
  }

  protected dma(): void {
    const { state, busMaster } = this;
    let isGone = false;
    const moved = busMaster.toMemory(state.replyBytes, (offset, count) => {
      const piece = this.#data(offset, count);
      isGone ||= piece.length === 0;
      return piece;
    });
    if (isGone) return this.#end(NOT_READY, MEDIUM_NOT_PRESENT);
    if (moved < state.replyBytes) return this.starve();
    this.#end();
  }

  /** Ends a packet command, with sense data or without. */
  #end(key = 0, code = 0, qualifier = 0): void {
    const { state } = this;
    // REQUEST SENSE tells of the command before it.
    if (key !== 0) Object.assign(state, { senseKey: key, senseCode: code, senseQualifier: qualifier });
    state.sectorCount = REASON.CD | REASON.IO;
    if (key === 0) return this.finish();
    this.fail((key << 4) | ERROR.ABRT);
  }

  #reply(bytes: Uint8Array | null, allocated: number): void {
    if (bytes === null) return this.#end(ILLEGAL_REQUEST, INVALID_FIELD);
    const { state } = this;
    state.reply = bytes.slice(0, allocated);
    this.#send(SOURCE.reply, 0, state.reply.length);
  }

  #send(source: number, lba: number, bytes: number): void {
    const { state } = this;
    if (bytes === 0) return this.#end();
    Object.assign(state, { source, lba, replyBytes: bytes, replyPosition: 0 });
    if ((state.features & FEATURE_DMA) !== 0) {
      state.sectorCount = REASON.IO;
      return this.waitForBusMaster();
    }
    this.begin(STEP.load, BLOCK_NS);
  }

  // ---- the packet
  protected override executePacket(): void {
    const { state } = this;
    const packet = state.buffer;
    const be16 = (at: number): number => (packet[at] << 8) | packet[at + 1];
    const be32 = (at: number): number => be16(at) * 0x1_0000 + be16(at + 2);
    const opcode = packet[0];
    this.#noticeMedium();
    if (opcode !== 0x03 && opcode !== 0x12 && opcode !== 0x46 && opcode !== 0x4a && state.attention) {
      state.attention = false;
      return this.#end(UNIT_ATTENTION, MEDIUM_CHANGED);
    }
    if (opcode !== 0x03) Object.assign(state, { senseKey: 0, senseCode: 0, senseQualifier: 0 });
    const blocks = this.#blocks;
    if (NEEDS_MEDIUM.has(opcode) && blocks === 0) return this.#end(NOT_READY, MEDIUM_NOT_PRESENT);
    switch (opcode) {
      case 0x00: // TEST UNIT READY
      case 0x2b: // SEEK
      case 0x35: // SYNCHRONIZE CACHE
      case 0xbb: // SET CD SPEED
      case 0x4e: // STOP PLAY/SCAN
        return this.#end();
      case 0x03: {
        const { senseKey, senseCode, senseQualifier } = state;
        const bytes = replies.requestSense(senseKey, senseCode, senseQualifier);
        Object.assign(state, { senseKey: 0, senseCode: 0, senseQualifier: 0 });
        return this.#reply(bytes, packet[4]);
      }
      case 0x12:
        return this.#reply((packet[1] & 1) === 0 ? replies.inquiry() : null, packet[4]);
      case 0x1b:
        return this.#startStop(packet[4]);
      case 0x1e: // PREVENT ALLOW MEDIUM REMOVAL
        state.isLocked = (packet[4] & 1) !== 0;
        return this.#end();
      case 0x25:
        return this.#reply(replies.readCapacity(blocks), 8);
      case 0x28: // READ(10)
        return this.#read(be32(2), be16(7));
      case 0xa8: // READ(12)
        return this.#read(be32(2), be32(6));
      case 0xbe:
        return this.#readCd(be32(2), (packet[6] << 16) | be16(7), packet[9]);
      case 0x42:
        return this.#reply(replies.readSubChannel(), be16(7));
      case 0x43: {
        // The format was in the last byte once, and MMC drivers still say so.
        const format = packet[2] & 0x0f || packet[9] >> 6;
        return this.#reply(replies.readToc(format, packet[6], (packet[1] & 2) !== 0, blocks), be16(7));
      }
      case 0x46:
        return this.#reply(replies.getConfiguration(be16(2), (packet[1] & 3) === 2, blocks), be16(7));
      case 0x4a: {
        if ((packet[1] & 1) === 0) return this.#end(ILLEGAL_REQUEST, INVALID_FIELD);
        const { event } = state;
        if ((packet[4] & 0x10) !== 0) state.event = 0;
        return this.#reply(replies.eventStatus(packet[4], event, state.isTrayOpen, blocks > 0), be16(7));
      }
      case 0x51:
        return this.#reply(replies.readDiscInformation(), be16(7));
      case 0x5a:
        return this.#reply(replies.modeSense(packet[2] & 0x3f, state.isLocked, blocks > 0), be16(7));
      case 0xbd:
        return this.#reply(replies.mechanismStatus(), be16(8));
      default:
        return this.#end(ILLEGAL_REQUEST, INVALID_OPCODE);
    }
  }

  /** The host's user may have changed the disc. */
  #noticeMedium(): void {
    const { state, disk } = this;
    if (state.knownChanges === disk.changes) return;
    state.knownChanges = disk.changes;
    state.isTrayOpen = false;
    state.attention = disk.sectorCount > 0;
    state.event = disk.sectorCount > 0 ? NEW_MEDIUM : MEDIUM_REMOVED;
  }

  #startStop(flags: number): void {
    const { state, disk } = this;
    const LOEJ = 0x02;
    const START = 0x01;
    if ((flags & LOEJ) === 0) return this.#end();
    if ((flags & START) === 0) {
      if (state.isLocked) return this.#end(ILLEGAL_REQUEST, REMOVAL_PREVENTED, 0x02);
      if (disk.sectorCount > 0 && !state.isTrayOpen) state.event = MEDIUM_REMOVED;
      state.isTrayOpen = true;
    } else if (state.isTrayOpen) {
      state.isTrayOpen = false;
      state.attention = disk.sectorCount > 0;
      if (state.attention) state.event = NEW_MEDIUM;
    }
    this.#end();
  }

  #isInside(lba: number, count: number): boolean {
    return lba + count <= this.#blocks;
  }

  #read(lba: number, count: number): void {
    if (count > MAX_BLOCKS) return this.#end(ILLEGAL_REQUEST, INVALID_FIELD);
    if (!this.#isInside(lba, count)) return this.#end(ILLEGAL_REQUEST, OUT_OF_RANGE);
    this.#send(SOURCE.medium, lba, count * BLOCK_BYTES);
  }

  #readCd(lba: number, count: number, fields: number): void {
    const wanted = fields & 0xf8;
    if (wanted === 0 || count === 0) return this.#end();
    if (count > MAX_BLOCKS) return this.#end(ILLEGAL_REQUEST, INVALID_FIELD);
    if (!this.#isInside(lba, count)) return this.#end(ILLEGAL_REQUEST, OUT_OF_RANGE);
    if (wanted === 0x10) return this.#send(SOURCE.medium, lba, count * BLOCK_BYTES);
    if (wanted === 0xf8) return this.#send(SOURCE.rawMedium, lba, count * RAW_BYTES);
    this.#end(ILLEGAL_REQUEST, INVALID_FIELD);
  }
}

/** TEST UNIT READY, READ CAPACITY, READ, SEEK, TOC, disc information, READ CD. */
const NEEDS_MEDIUM: ReadonlySet<number> = new Set([0x00, 0x25, 0x28, 0xa8, 0x2b, 0x42, 0x43, 0x51, 0xbe]);
