/**
 * An ATA hard disk. ATA/ATAPI-6 (T13/1410D rev 3b), chapter 8.
 *
 * NOT implemented: the security, host protected area, media card, tagged queuing and streaming feature sets; READ LONG;
 * READ BUFFER and WRITE BUFFER. Sectors never fail.
 */
import { SECTOR_BYTES } from '../../core/block.js';
import { DEVICE, ERROR } from './ata-registers.js';
import { STEP } from './drive-state.js';
import { identifyDisk } from './identify.js';
import { BLOCK_NS, COMMAND_NS, IdeDrive, SECTOR_NS, type DriveOptions } from './ide-drive.js';

const MAX_MULTIPLE = 16;

type Access = 'read' | 'write' | 'verify';
type Mode = 'pio' | 'multiple' | 'dma';

/** Commands that transfer sectors (8.25 to 8.34, 8.52 to 8.62); `ext`: addresses of 48 bits. */
const TRANSFERS: Readonly<Record<number, { readonly access: Access; readonly mode: Mode; readonly ext: boolean }>> = {
  0x20: { access: 'read', mode: 'pio', ext: false },
  0x21: { access: 'read', mode: 'pio', ext: false },
  0x24: { access: 'read', mode: 'pio', ext: true },
  0x25: { access: 'read', mode: 'dma', ext: true },
  0x29: { access: 'read', mode: 'multiple', ext: true },
  0x30: { access: 'write', mode: 'pio', ext: false },
  0x31: { access: 'write', mode: 'pio', ext: false },
  0x34: { access: 'write', mode: 'pio', ext: true },
  0x35: { access: 'write', mode: 'dma', ext: true },
  0x39: { access: 'write', mode: 'multiple', ext: true },
  0x3d: { access: 'write', mode: 'dma', ext: true },
  0x40: { access: 'verify', mode: 'pio', ext: false },
  0x41: { access: 'verify', mode: 'pio', ext: false },
  0x42: { access: 'verify', mode: 'pio', ext: true },
  0xc4: { access: 'read', mode: 'multiple', ext: false },
  0xc5: { access: 'write', mode: 'multiple', ext: false },
  0xc8: { access: 'read', mode: 'dma', ext: false },
  0xc9: { access: 'read', mode: 'dma', ext: false },
  0xca: { access: 'write', mode: 'dma', ext: false },
  0xcb: { access: 'write', mode: 'dma', ext: false },
  0xce: { access: 'write', mode: 'multiple', ext: true },
};

const IDENTIFY_DEVICE = 0xec;
const SMART = 0xb0;
/** Sectors that are gathered where regions of memory hold parts of some. */
const GATHERED_SECTORS = 256;
/** IDENTIFY's capacity in cylinders ends there; larger disks are addressed by LBA. */
const MAX_CYLINDERS = 16_383;

export class AtaDisk extends IdeDrive {
  constructor(
    id: string,
    private readonly serial: string,
    options: DriveOptions,
  ) {
    super(id, options);
  }

  /** The medium's shape where ATA can express it, the usual one otherwise. */
  get #native() {
    const { cylinders, heads, sectorsPerTrack } = this.disk.geometry;
    if (cylinders > 0 && heads > 0 && heads <= 16 && sectorsPerTrack > 0 && sectorsPerTrack <= 63) {
      return { cylinders: Math.min(cylinders, MAX_CYLINDERS), heads, sectorsPerTrack };
    }
    const usual = Math.floor(this.disk.sectorCount / (16 * 63));
    return { cylinders: Math.max(1, Math.min(usual, MAX_CYLINDERS)), heads: 16, sectorsPerTrack: 63 };
  }

  override powerOn(): void {
    super.powerOn();
    const { heads, sectorsPerTrack } = this.#native;
    Object.assign(this.state, { heads, sectorsPerTrack, multiple: MAX_MULTIPLE, transferMode: 0x0c });
  }

  protected signature(): void {
    Object.assign(this.state, { sectorCount: 1, lbaLow: 1, lbaMid: 0, lbaHigh: 0, status: this.ready });
  }

  protected get isDataOut(): boolean {
    return TRANSFERS[this.state.command]?.access === 'write';
  }

  protected execute(command: number): void {
    const transfer = TRANSFERS[command];
    if (transfer !== undefined) return this.#transfer(transfer.access, transfer.mode, transfer.ext);
    const { state } = this;
    switch (command) {
      case IDENTIFY_DEVICE:
        return this.begin(STEP.load, COMMAND_NS);
      case 0x91: // INITIALIZE DEVICE PARAMETERS
        state.heads = (state.device & 0x0f) + 1;
        state.sectorsPerTrack = state.sectorCount;
        // No translation that CHS commands could be refused under.
        if (state.sectorCount === 0) return this.#failSoon();
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xc6: // SET MULTIPLE MODE
        return this.#setMultiple(state.sectorCount);
      case 0xef:
        return this.#setFeatures();
      case SMART:
        return this.#smart();
      case 0xe0: // STANDBY IMMEDIATE
      case 0x94:
      case 0xe2: // STANDBY
      case 0x96:
      case 0xe6: // SLEEP
      case 0x99:
        state.power = 0x00;
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xe1: // IDLE IMMEDIATE
      case 0x95:
      case 0xe3: // IDLE
      case 0x97:
        state.power = 0x80;
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xe5: // CHECK POWER MODE
      case 0x98:
        state.sectorCount = state.power;
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xe7: // FLUSH CACHE
      case 0xea: // FLUSH CACHE EXT
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xf8: // READ NATIVE MAX ADDRESS
        this.#showAddress(Math.min(this.disk.sectorCount, 0x1000_0000) - 1, false);
        return this.begin(STEP.finish, COMMAND_NS);
      case 0x27: // READ NATIVE MAX ADDRESS EXT
        this.#showAddress(this.disk.sectorCount - 1, true);
        return this.begin(STEP.finish, COMMAND_NS);
    }
    // RECALIBRATE and SEEK of older standards.
    if ((command & 0xf0) === 0x10 || (command & 0xf0) === 0x70) return this.begin(STEP.finish, COMMAND_NS);
    this.#failSoon();
  }

  /** What cannot be done is refused at once. */
  #failSoon(): void {
    this.fail(ERROR.ABRT);
  }

  #setMultiple(count: number): void {
    if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) return this.#failSoon();
    this.state.multiple = count;
    this.begin(STEP.finish, COMMAND_NS);
  }

  #setFeatures(): void {
    const { state } = this;
    switch (state.features) {
      case 0x03:
        if (!isTransferMode(state.sectorCount)) return this.#failSoon();
        state.transferMode = state.sectorCount;
        break;
      case 0x02:
      case 0x82:
        state.writeCache = state.features === 0x02;
        break;
      case 0xaa:
      case 0x55:
        state.lookAhead = state.features === 0xaa;
        break;
      case 0x66: // keep settings over a software reset, as is done anyway
      case 0xcc:
        break;
      default:
        return this.#failSoon();
    }
    this.begin(STEP.finish, COMMAND_NS);
  }

  #smart(): void {
    const { state } = this;
    const { features } = state;
    if (state.lbaMid !== 0x4f || state.lbaHigh !== 0xc2) return this.#failSoon();
    if (!state.smart && features !== 0xd8) return this.#failSoon();
    switch (features) {
      case 0xd0: // READ DATA
      case 0xd1: // READ THRESHOLDS
        return this.begin(STEP.load, COMMAND_NS);
      case 0xd8: // ENABLE OPERATIONS
      case 0xd9: // DISABLE OPERATIONS
        state.smart = features === 0xd8;
        return this.begin(STEP.finish, COMMAND_NS);
      case 0xd2: // attribute autosave
      case 0xda: // RETURN STATUS: no threshold is exceeded
        return this.begin(STEP.finish, COMMAND_NS);
      default:
        return this.#failSoon();
    }
  }

  // ---- addresses
  #showAddress(lba: number, ext: boolean): void {
    const { state } = this;
    const byte = (n: number): number => Math.floor(lba / 2 ** (8 * n)) % 256;
    Object.assign(state, { lbaLow: byte(0), lbaMid: byte(1), lbaHigh: byte(2) });
    if (ext) Object.assign(state, { hobLbaLow: byte(3), hobLbaMid: byte(4), hobLbaHigh: byte(5) });
    else state.device = (state.device & 0xf0) | (byte(3) & 0x0f);
  }

  /** First sector and number of sectors that the registers name; the sector is -1 where the translation has none. */
  #range(ext: boolean): { lba: number; count: number } {
    const { state } = this;
    const { lbaLow, lbaMid, lbaHigh, sectorCount, device } = state;
    if (ext) {
      const high = state.hobLbaLow + state.hobLbaMid * 0x100 + state.hobLbaHigh * 0x1_0000;
      const lba = lbaLow + lbaMid * 0x100 + lbaHigh * 0x1_0000 + high * 0x100_0000;
      return { lba, count: state.hobSectorCount * 0x100 + sectorCount || 0x1_0000 };
    }
    const count = sectorCount || 0x100;
    if ((device & DEVICE.LBA) !== 0) {
      return { lba: lbaLow + lbaMid * 0x100 + lbaHigh * 0x1_0000 + (device & 0x0f) * 0x100_0000, count };
    }
    const { heads, sectorsPerTrack } = state;
    const head = device & 0x0f;
    if (lbaLow === 0 || lbaLow > sectorsPerTrack || head >= heads) return { lba: -1, count };
    return { lba: ((lbaMid + lbaHigh * 0x100) * heads + head) * sectorsPerTrack + lbaLow - 1, count };
  }

  // ---- transfers
  #transfer(access: Access, mode: Mode, ext: boolean): void {
    const { state, disk } = this;
    if (mode === 'multiple' && state.multiple === 0) return this.#failSoon();
    const { lba, count } = this.#range(ext);
    if (lba < 0 || lba + count > disk.sectorCount) return this.fail(ERROR.IDNF);
    if (access === 'write' && disk.readOnly) return this.#failSoon();
    state.power = 0xff;
    state.lba = lba;
    state.sectorsLeft = count;
    if (access === 'verify') return this.begin(STEP.finish, COMMAND_NS + count * SECTOR_NS);
    if (mode === 'dma') return this.waitForBusMaster();
    if (access === 'read') return this.begin(STEP.load, COMMAND_NS);
    this.requestBlock(this.#blockSectors * SECTOR_BYTES, false);
  }

  /** Sectors of the next block. */
  get #blockSectors(): number {
    const { command, sectorsLeft, multiple } = this.state;
    const most = TRANSFERS[command]?.mode === 'multiple' ? Math.max(1, multiple) : 1;
    return Math.min(most, sectorsLeft);
  }

  protected loadBlock(): Uint8Array {
    const { state } = this;
    if (state.command === IDENTIFY_DEVICE) return this.#identify();
    if (state.command === SMART) return smartPage();
    const count = this.#blockSectors;
    const bytes = this.disk.read(state.lba, count);
    state.lba += count;
    state.sectorsLeft -= count;
    return bytes;
  }

  #identify(): Uint8Array {
    const { state, disk, serial } = this;
    return identifyDisk({
      ...state,
      serial,
      sectorCount: disk.sectorCount,
      native: this.#native,
      maxMultiple: MAX_MULTIPLE,
    });
  }

  protected blockRead(): void {
    if (this.state.sectorsLeft > 0) return this.begin(STEP.load, BLOCK_NS);
    this.stop();
    this.state.status = this.ready;
  }

  protected storeBlock(): void {
    const { state } = this;
    const count = state.buffer.length / SECTOR_BYTES;
    this.disk.write(state.lba, state.buffer);
    state.lba += count;
    state.sectorsLeft -= count;
    if (state.sectorsLeft > 0) this.requestBlock(this.#blockSectors * SECTOR_BYTES, true);
    else this.finish();
  }

  protected get dmaNs(): number {
    return this.state.sectorsLeft * SECTOR_NS;
  }

  protected dma(): void {
    const bytes = this.state.sectorsLeft * SECTOR_BYTES;
    const moved = this.isDataOut ? this.#dmaWrite(bytes) : this.#dmaRead(bytes);
    if (moved < bytes) return this.starve();
    this.finish();
  }

  #dmaRead(bytes: number): number {
    const { state, disk, busMaster } = this;
    const start = state.lba * SECTOR_BYTES;
    return busMaster.toMemory(bytes, (offset, most) => disk.piece(start + offset, most));
  }

  /** Gathers whole sectors of what memory gives. */
  #dmaWrite(bytes: number): number {
    const { state, disk, busMaster } = this;
    const most = GATHERED_SECTORS * SECTOR_BYTES;
    const gathered = new Uint8Array(Math.min(most, bytes));
    let filled = 0;
    let lba = state.lba;
    const flush = (): void => {
      const sectors = Math.floor(filled / SECTOR_BYTES);
      if (sectors > 0) disk.write(lba, gathered.subarray(0, sectors * SECTOR_BYTES));
      lba += sectors;
      filled = 0;
    };
    const moved = busMaster.fromMemory(bytes, (_offset, piece) => {
      if (filled === 0 && piece.length % SECTOR_BYTES === 0) {
        disk.write(lba, piece);
        lba += piece.length / SECTOR_BYTES;
        return;
      }
      for (let at = 0; at < piece.length;) {
        const run = Math.min(piece.length - at, gathered.length - filled);
        gathered.set(piece.subarray(at, at + run), filled);
        filled += run;
        at += run;
        if (filled === gathered.length) flush();
      }
    });
    flush();
    return moved;
  }
}

/** PIO default and modes to 4, multiword DMA to 2, Ultra DMA to 5 (table 45). */
export function isTransferMode(value: number): boolean {
  const [type, mode] = [value >> 3, value & 7];
  return (
    (type === 0 && mode <= 1) || (type === 1 && mode <= 4) || (type === 4 && mode <= 2) || (type === 8 && mode <= 5)
  );
}

/** A disk that has nothing to tell: no attributes; revision and checksum are right. */
function smartPage(): Uint8Array {
  const page = new Uint8Array(512);
  page[0] = 0x01;
  let sum = 0;
  for (const byte of page) sum += byte;
  page[511] = -sum;
  return page;
}
