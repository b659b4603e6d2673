import { describe, expect, it } from 'vitest';
import { STATUS } from '../../../src/devices/backdoor/protocol.js';
import { Vmport, VMPORT_MAGIC } from '../../../src/devices/vmport.js';
import { ascii, Bench } from './fake-guest.js';

const GET_VERSION = 10;
const STATE_LOGGER = 47;

function bench(): { at: Bench; call: (command: number, ebx: number) => number; device: Vmport } {
  const at = new Bench();
  const device = new Vmport({ gate: at.gate, service: () => at.service });
  const call = (command: number, ebx: number): number => {
    Object.assign(at.caller.registers, { eax: VMPORT_MAGIC, ebx, ecx: command });
    return device.portIn32(at.caller);
  };
  return { at, call, device };
}

describe('the port of VMware', () => {
  it('reports version 6, the magic and the product', () => {
    const { at, call } = bench();
    expect(call(GET_VERSION, 0)).toBe(6);
    expect(at.caller.registers).toMatchObject({ ebx: VMPORT_MAGIC, ecx: 4 });
    expect(at.asks).toEqual([]);
  });

  it('knows the command by the lower half of ECX', () => {
    expect(bench().call(GET_VERSION | 0xabcd_0000, 0)).toBe(6);
  });

  it.each([0, 1, 11, 48, 0xffff])('answers command %i with -1 and changes nothing', (command) => {
    const { at, call } = bench();
    expect(call(command, 0)).toBe(0xffff_ffff);
    expect(at.caller.changes).toEqual([]);
  });

  it('is empty without the magic', () => {
    const { at, device } = bench();
    Object.assign(at.caller.registers, { eax: 0, ecx: GET_VERSION });
    expect(device.portIn32(at.caller)).toBe(0xffff_ffff);
    expect([1, 2, 4].map((width) => device.ports.read(0, width as 1))).toEqual([0xff, 0xffff, 0xffff_ffff]);
  });

  it('is replayable, without asking the policy', () => {
    const { at, call } = bench();
    expect(call(STATE_LOGGER, 0)).toBe(1);
    expect(at.asks).toEqual([]);
  });

  it('starts and stops recordings as START and STOP do', () => {
    const { at, call } = bench();
    at.caller.cpl = 3;
    expect(call(STATE_LOGGER, 1)).toBe(1);
    expect(call(STATE_LOGGER, 2)).toBe(1);
    expect(at.asks.map((ask) => ask.kind)).toEqual(['vmport', 'vmport']);
    expect(at.service.requests).toMatchObject([
      { command: 'START', flags: 0, payload: ascii('vmport'), caller: { ring: 3 } },
      { command: 'STOP', ebx: 0, payload: new Uint8Array(0), caller: { ring: 3 } },
    ]);
    expect(at.caller.changes).toEqual([]);
  });

  it.each([STATUS.DENIED, STATUS.RATE, STATUS.BUSY, STATUS.NOT_RECORDING, STATUS.NOT_OWNER, STATUS.HOST_IO])(
    'has AX other than 1 for status %i',
    (status) => {
      const { at, call } = bench();
      at.service.reply = { status };
      expect([call(STATE_LOGGER, 1), call(STATE_LOGGER, 2)]).toEqual([0, 0]);
    },
  );

  it('refuses sub-commands that do not exist, and everything when nobody answers for the host', () => {
    const { at, call } = bench();
    expect(call(STATE_LOGGER, 3)).toBe(0);
    expect(at.asks).toEqual([]);
    const alone = new Vmport({ gate: at.gate, service: () => null });
    Object.assign(at.caller.registers, { eax: VMPORT_MAGIC, ebx: 1, ecx: STATE_LOGGER });
    expect(alone.portIn32(at.caller)).toBe(0);
  });
});
