import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { COMMANDS, STATUS, type CommandName } from '../../../src/devices/backdoor/protocol.js';
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  type BackdoorReply,
} from '../../../src/devices/backdoor/service.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const hash = fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 }).map((a) => a.join(''));
const requests = fc.record({
  command: fc.constantFrom(...(Object.keys(COMMANDS) as CommandName[])),
  flags: fc.integer({ min: 0, max: 0xffff }),
  ebx: u32,
  esi: u32,
  edi: u32,
  payload: fc.uint8Array({ maxLength: 300 }),
  caller: fc.record({
    ring: fc.integer({ min: 0, max: 3 }),
    cr3: u32,
    eip: u32,
    codeSha256: fc.option(hash),
  }),
});
const replies = fc.record(
  {
    status: fc.constantFrom(...Object.values(STATUS)),
    ebx: u32,
    ecx: u32,
    edx: u32,
    esi: u32,
    edi: u32,
    data: fc.uint8Array({ maxLength: 300 }),
  },
  { requiredKeys: ['status'] },
);

describe('the bytes of a call in the log', () => {
  it('hold the whole request', () => {
    fc.assert(fc.property(requests, (r) => void expect(decodeRequest(encodeRequest(r))).toEqual(r)));
  });

  it('hold the whole answer, and which registers it has', () => {
    fc.assert(fc.property(replies, (r) => void expect(decodeReply(encodeReply(r as BackdoorReply))).toEqual(r)));
  });

  it('are DAMAGED when cut off, too long, or of a command that does not exist', () => {
    const request = encodeRequest({
      command: 'MARK',
      flags: 0,
      ebx: 1,
      esi: 0,
      edi: 0,
      payload: Uint8Array.of(65),
      caller: { ring: 3, cr3: 0, eip: 0, codeSha256: null },
    });
    const reply = encodeReply({ status: STATUS.OK, ecx: 1, data: Uint8Array.of(1, 2) });
    const damaged = (read: () => unknown): void => {
      expect(read).toThrow(CodedError);
      expect(read).toThrow(expect.objectContaining({ code: 'DAMAGED' }) as Error);
    };
    for (let length = 0; length < request.length; length++) damaged(() => decodeRequest(request.subarray(0, length)));
    for (let length = 0; length < reply.length; length++) damaged(() => decodeReply(reply.subarray(0, length)));
    damaged(() => decodeRequest(Uint8Array.of(...request, 0)));
    damaged(() => decodeReply(Uint8Array.of(...reply, 0)));
    damaged(() => decodeRequest(Uint8Array.of(200, ...request.subarray(1))));
  });
});
