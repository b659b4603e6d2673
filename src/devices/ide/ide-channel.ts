import type { PortHandler, Width } from '../../core/bus.js';
import type { IrqLine } from '../../core/irq.js';
import { u8, type StateSchema } from '../../core/state.js';
import { CONTROL, DEVICE, REGISTER, STATUS } from './ata-registers.js';
import type { BusMaster } from './bus-master.js';
import type { IdeDrive } from './ide-drive.js';

export interface ChannelState {
  /** Device control register. */
  control: number;
  /** 0 or 1: the drive that the device register selects. */
  selected: number;
}

export const CHANNEL_SCHEMA: StateSchema<ChannelState> = { control: u8, selected: u8 };

/** Command block and control block. */
export const COMMAND_PORTS = 8;
export const CONTROL_PORTS = 1;
const EXECUTE_DEVICE_DIAGNOSTIC = 0x90;

/** Two drives on one cable. ATA/ATAPI-6 (T13/1410D rev 3b), chapter 7. */
export class IdeChannel {
  readonly state: ChannelState = { control: 0, selected: 0 };
  readonly drives: (IdeDrive | null)[] = [null, null];
  readonly commandPorts: PortHandler;
  readonly controlPorts: PortHandler;
  #level = false;

  constructor(
    private readonly busMaster: BusMaster,
    private readonly irq: IrqLine,
  ) {
    this.commandPorts = {
      read: (offset, width) => this.#read(offset, width),
      write: (offset, value, width) => this.#write(offset, value, width),
    };
    this.controlPorts = {
      read: () => this.#selected?.read(REGISTER.status, this.state.control) ?? 0,
      write: (_offset, value) => this.#control(value & 0xff),
    };
  }

  reset(): void {
    Object.assign(this.state, { control: 0, selected: 0 });
    for (const drive of this.drives) drive?.powerOn();
    this.drive();
  }

  /** Nobody answers for a drive that is not there: its registers read as zeros. */
  get #selected(): IdeDrive | null {
    return this.drives[this.state.selected];
  }

  /** Drives the interrupt line as the selected drive wants it; again after a restore. */
  drive(): void {
    const level = this.#selected?.state.interrupt === true && (this.state.control & CONTROL.nIEN) === 0;
    if (level && !this.#level) this.busMaster.interrupt();
    this.#level = level;
    this.irq.set(level);
  }

  /** After a restore: what the line did before is not to be seen as an edge. */
  restored(): void {
    this.#level = this.#selected?.state.interrupt === true && (this.state.control & CONTROL.nIEN) === 0;
    this.irq.set(this.#level);
  }

  #read(offset: number, width: Width): number {
    if (offset === REGISTER.data && width > 1) {
      return this.#selected?.readData(width) ?? (width === 4 ? 0xffff_ffff : 0xffff);
    }
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.#readByte(offset + i) << (8 * i);
    return value >>> 0;
  }

  #readByte(offset: number): number {
    if (offset === REGISTER.data) return 0xff;
    const drive = this.#selected;
    if (drive === null) return 0;
    const value = drive.read(offset, this.state.control) | (offset === REGISTER.device ? this.state.selected << 4 : 0);
    if (offset === REGISTER.status) drive.setInterrupt(false);
    return value;
  }

  #write(offset: number, value: number, width: Width): void {
    if (offset === REGISTER.data && width > 1) return this.#selected?.writeData(value, width);
    for (let i = 0; i < width; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  #writeByte(offset: number, value: number): void {
    if (offset === REGISTER.data) return;
    if (offset === REGISTER.status) return this.#command(value);
    // A drive at work does not listen (7.2.3).
    if (((this.#selected?.state.status ?? 0) & (STATUS.BSY | STATUS.DRQ)) !== 0) return;
    // Writing to the command block selects the present contents of the others (7.2.3).
    this.state.control &= ~CONTROL.HOB;
    for (const drive of this.drives) drive?.write(offset, value);
    if (offset !== REGISTER.device) return;
    this.state.selected = (value & DEVICE.DEV) !== 0 ? 1 : 0;
    this.drive();
  }

  #command(value: number): void {
    if (value !== EXECUTE_DEVICE_DIAGNOSTIC) return this.#selected?.command(value);
    for (const drive of this.drives) drive?.softReset();
    this.state.selected = 0;
    this.drives[0]?.setInterrupt(true);
  }

  #control(value: number): void {
    const { state } = this;
    const was = state.control;
    state.control = value & (CONTROL.nIEN | CONTROL.SRST | CONTROL.HOB);
    if ((state.control & ~was & CONTROL.SRST) !== 0) {
      for (const drive of this.drives) {
        if (drive === null) continue;
        drive.softReset();
        drive.state.status = STATUS.BSY;
      }
    } else if ((was & ~state.control & CONTROL.SRST) !== 0) {
      for (const drive of this.drives) drive?.softReset();
      state.selected = 0;
    }
    this.drive();
  }
}
