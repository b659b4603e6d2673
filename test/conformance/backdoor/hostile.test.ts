import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMANDS, commandName, MAGIC, STATUS, type Command } from '../../../src/devices/backdoor/protocol.js';
import { Vmport, VMPORT_MAGIC } from '../../../src/devices/vmport.js';
import { Bench, PageFault, REGISTERS } from './fake-guest.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
/** Near what matters, so that few calls end at the first check. */
const address = fc.oneof(fc.integer({ min: 0x1f_fff0, max: 0x20_2010 }), fc.constantFrom(0, 0xffff_fffc), u32);
const length = fc.oneof(fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 0x11000 }), u32);
const request = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 9 }))
    .map(([c, flags]) => (c | (flags << 16)) >>> 0),
  u32,
);
const registers = fc.record({
  eax: fc.oneof({ weight: 9, arbitrary: fc.constant(MAGIC) }, { weight: 1, arbitrary: u32 }),
  ebx: u32,
  ecx: request,
  edx: u32,
  esi: address,
  edi: length,
});
const reply = fc.record({
  status: fc.constantFrom(...Object.values(STATUS)),
  ebx: u32,
  ecx: u32,
  edx: u32,
  esi: u32,
  edi: u32,
  data: fc.uint8Array({ maxLength: 32 }),
});

describe('whatever is in the registers', () => {
  it('a call does not throw but for the page fault it was asked for, and changes what the table says', () => {
    fc.assert(
      fc.property(
        registers,
        reply,
        fc.uint8Array({ maxLength: 64 }),
        fc.constantFrom(0, 3),
        (given, answer, text, cpl) => {
          const at = new Bench();
          at.caller.map(0x20_0000).map(0x20_1000, 'read-only').poke(0x20_0000, text);
          at.caller.cpl = cpl;
          at.service.reply = answer;
          Object.assign(at.caller.registers, given);
          let result: number;
          try {
            result = at.device.portIn32(at.caller);
          } catch (error) {
            if (!(error instanceof PageFault)) throw error;
            expect(at.caller.registers).toEqual(given);
            expect(at.asks).toEqual([]);
            return;
          }
          const name = commandName(given.ecx & 0xffff);
          const table: Command | undefined = name === undefined ? undefined : COMMANDS[name];
          const isCall = given.eax === MAGIC;
          if (!isCall) expect(result).toBe(0xffff_ffff);
          const allowed = !isCall
            ? []
            : result === STATUS.OK
              ? (table?.results ?? [])
              : result === STATUS.FAULT
                ? ['ebx']
                : [];
          for (const register of REGISTERS) {
            if (!(allowed as string[]).includes(register)) expect(at.caller.registers[register]).toBe(given[register]);
            expect(at.caller.registers[register]).toBe(at.caller.registers[register] >>> 0);
          }
          expect(at.asks.length).toBeLessThanOrEqual(1);
          if (!isCall) expect(at.asks).toEqual([]);
        },
      ),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('the port of VMware does not throw and changes EBX and ECX at most', () => {
    fc.assert(
      fc.property(registers, fc.constantFrom(...Object.values(STATUS)), fc.boolean(), (given, status, magic) => {
        const at = new Bench();
        at.service.reply = { status };
        const vmport = new Vmport({ gate: at.gate, service: () => at.service });
        const before = { ...given, eax: magic ? VMPORT_MAGIC : given.eax };
        Object.assign(at.caller.registers, before);
        const result = vmport.portIn32(at.caller);
        expect(result).toBe(result >>> 0);
        if (!magic) expect(result).toBe(0xffff_ffff);
        const isVersion = magic && (given.ecx & 0xffff) === 10;
        for (const register of REGISTERS) {
          if (isVersion && (register === 'ebx' || register === 'ecx')) continue;
          expect(at.caller.registers[register]).toBe(before[register]);
        }
      }),
      { numRuns: 1000, seed: 2 },
    );
  });
});
