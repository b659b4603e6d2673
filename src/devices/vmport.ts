/**
 * VMware's backdoor, port 5658h (described by VMware's open-vm-tools): enough for period tools that control recording.
 * A call is a 32-bit IN EAX,DX with the magic in EAX and the command in CX.
 *
 * NOT implemented: every command but GETVERSION (10) and STATELOGGER (47).
 */
import type { InputGate } from '../core/input-gate.js';
import type { PortHandler } from '../core/bus.js';
import type { GuestCaller } from './backdoor/backdoor.js';
import { STATUS } from './backdoor/protocol.js';
import type { BackdoorRequest, BackdoorService } from './backdoor/service.js';
import { decodeReply, encodeReply, encodeRequest } from './backdoor/service.js';

export const VMPORT = 0x5658;
export const VMPORT_MAGIC = 0x564d5868;
const GET_VERSION = 10;
const STATE_LOGGER = 47;
/** Backdoor version that current VMware products report, and their product type (workstation). */
const VERSION = 6;
const PRODUCT_WORKSTATION = 4;
const UNKNOWN = 0xffff_ffff;
const REPLAYABLE = 0;
const START = 1;
const STOP = 2;
const RECORDING_NAME = new Uint8Array([0x76, 0x6d, 0x70, 0x6f, 0x72, 0x74]);

export interface VmportOptions {
  readonly gate: InputGate;
  readonly service: () => BackdoorService | null;
}

/** Stateless: its effects are those of the backdoor's START and STOP. */
export class Vmport {
  readonly ports: PortHandler = {
    read: (_offset, width) => (width === 4 ? UNKNOWN : (1 << (8 * width)) - 1),
    write: () => {},
  };

  constructor(private readonly options: VmportOptions) {}

  /** A 32-bit IN on the port; the result is the new EAX. */
  portIn32(caller: GuestCaller): number {
    if (caller.get('eax') !== VMPORT_MAGIC) return UNKNOWN;
    switch (caller.get('ecx') & 0xffff) {
      case GET_VERSION:
        caller.set('ebx', VMPORT_MAGIC);
        caller.set('ecx', PRODUCT_WORKSTATION);
        return VERSION;
      case STATE_LOGGER:
        return this.#stateLogger(caller);
      default:
        return UNKNOWN;
    }
  }

  /** AX = 1 on success, else 0. */
  #stateLogger(caller: GuestCaller): number {
    const what = caller.get('ebx');
    if (what === REPLAYABLE) return 1;
    if (what !== START && what !== STOP) return 0;
    const request: BackdoorRequest = {
      command: what === START ? 'START' : 'STOP',
      flags: 0,
      ebx: 0,
      esi: 0,
      edi: 0,
      payload: what === START ? RECORDING_NAME : new Uint8Array(0),
      caller: { ring: caller.cpl, cr3: caller.cr3, eip: caller.linearEip, codeSha256: null },
    };
    const answer = this.options.gate.ask('vmport', encodeRequest(request), () =>
      encodeReply(this.options.service()?.answer(request) ?? { status: STATUS.DENIED }),
    );
    return decodeReply(answer).status === STATUS.OK ? 1 : 0;
  }
}
