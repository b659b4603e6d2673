import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/base/bytes.js';
import { MmioBus } from '../../../src/core/bus.js';
import type { Cpu } from '../../../src/cpu/cpu.js';
import { createBareCpu } from '../../../src/host/bare-cpu.js';
import { EBX, ECX, EDX, ESI, ESP } from '../../../src/isa/cpu-state.js';
import { startAt } from './start.js';

const RAM_BYTES = 0x10_0000;
const CODE = 0x8000;
const HANDLER = 0x7800;
const DATA = 0x9000;
const DEVICE = 0xb_0000;
const STEADY_PORT = 0x3da;
const VECTOR = 0x60;

const isSteady = (port: number): boolean => port === STEADY_PORT || port === STEADY_PORT + 1;

interface Bench {
  readonly cpu: Cpu;
  /** What devices were told and asked, and when. */
  readonly log: string[];
  /** How often the program went from one of the steady ports to the other. */
  readonly turns: () => number;
}

/** `period`: how long the values of the steady ports stand, while only one of them is read. */
function bench(skipsRounds: boolean, period: number, tier: 'interpreter' | 'all'): Bench {
  const log: string[] = [];
  const mmio = new MmioBus();
  let [last, turns] = [STEADY_PORT, 0];
  const note = (what: string): void => void log.push(`${cpu.now} ${what}`);
  mmio.map('device', DEVICE, 0x1000, {
    read: (offset) => {
      note(`read ${offset}`);
      return 0;
    },
    write: (offset, value) => note(`write ${offset} ${value}`),
  });
  const cpu: Cpu = createBareCpu({
    ramBytes: RAM_BYTES,
    mmio,
    tier,
    skipsRounds,
    io: {
      read: (port) => {
        if (isSteady(port)) {
          if (port !== last) turns++;
          last = port;
          return (Math.floor(cpu.now / period) + turns) & 0xff;
        }
        note(`in ${port}`);
        return 0;
      },
      write: (port, value) => note(`out ${port} ${value}`),
      steadyUntil: (port) => (isSteady(port) ? (Math.floor(cpu.now / period) + 1) * period : 0),
      exempt: () => false,
    },
  });
  for (let page = 0xb0; page < 0xb1; page++) cpu.physical.setWindow(page, 'device');
  return { cpu, log, turns: () => turns };
}

function start({ cpu }: Pick<Bench, 'cpu'>, code: readonly number[], mode: 'real' | 'flat' = 'real'): void {
  const { state, physical } = cpu;
  state.setGpr(EDX, STEADY_PORT);
  state.setGpr(EBX, DATA);
  state.setGpr(ESI, DATA + 16);
  state.setGpr(ECX, 0);
  state.setGpr(ESP, 0x7000);
  // What a BIOS does when it is asked for the time: PUSH DS; MOV AX, [SI]; POP DS; IRET.
  physical.write(HANDLER, Uint8Array.of(0x1e, 0x8b, 0x04, 0x1f, 0xcf));
  physical.write(4 * VECTOR, Uint8Array.of(HANDLER & 0xff, HANDLER >> 8, 0, 0));
  startAt(cpu, CODE, code, mode);
}

function look({ cpu, log, turns }: Bench): string {
  cpu.settle();
  const out = new ByteWriter();
  cpu.state.save(out);
  return `${cpu.now} ${Buffer.concat([out.finish(), cpu.physical.read(DATA, 64)]).toString('hex')} ${turns()} ${log.join()}`;
}

/** What comes again in every round. */
const HARMLESS = [
  [0x8b, 0x07], // MOV AX, [BX]
  [0x50, 0x59], // PUSH AX; POP CX
  [0xcd, VECTOR], // INT
  [0xfa, 0xfb], // CLI; STI
  [0xfb, 0xfa], // STI; CLI
  [0xff, 0x47, 2, 0xff, 0x4f, 2], // INC and DEC WORD [BX + 2]
  [0x1e, 0x07], // PUSH DS; POP ES
  [0xb9, 3, 0, 0xe2, 0xfe], // MOV CX, 3; LOOP
  [0xd9, 0xe8, 0xdd, 0xd8], // FLD1; FSTP ST0
  [0xec], // IN AL, DX
];
/** What does not. */
const OTHERS = [
  [0x41], // INC CX
  [0xff, 0x47, 4], // INC WORD [BX + 4]
  [0x8c, 0xc0, 0x40, 0x8e, 0xc0, 0x31, 0xc0], // MOV AX, ES; INC AX; MOV ES, AX; XOR AX, AX
  [0xe4, 0x60], // IN AL, 60h
  [0xec, 0x42, 0xec, 0x4a, 0x31, 0xc0], // IN AL, DX; INC DX; IN AL, DX; DEC DX; XOR AX, AX
  [0xe6, 0x80], // OUT 80h, AL
  [0x0f, 0x31, 0x31, 0xc0, 0xba, STEADY_PORT & 0xff, STEADY_PORT >> 8], // RDTSC; XOR AX, AX; MOV DX
  [0x06, 0x68, 0x00, 0xb0, 0x07, 0x26, 0xa0, 0, 0, 0x07], // PUSH ES; PUSH B000h; POP ES; MOV AL, ES:[0]; POP ES
  [0x06, 0x68, 0x00, 0xb0, 0x07, 0x26, 0xa2, 0, 0, 0x07], // the same with MOV ES:[0], AL
];

const piece = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...HARMLESS) },
  { weight: 1, arbitrary: fc.constantFrom(...OTHERS) },
);
/** Rounds until a word changes, then a count, and the same again. */
const program = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => {
  const body = [...pieces.flat(), 0x83, 0x3c, 0]; // CMP WORD [SI], 0
  const loop = [...body, 0x74, -(body.length + 2) & 0xff]; // JE
  const count = [0xff, 0x47, 8, 0xc7, 0x04, 0, 0]; // INC WORD [BX + 8]; MOV WORD [SI], 0
  return [...loop, ...count, 0xeb, -(loop.length + count.length + 2) & 0xff];
});
const event = fc.record({
  ticks: fc.integer({ min: 1, max: 250_000 }),
  /** Behind it the word that is waited for changes. */
  isHeard: fc.boolean(),
});

describe('programs that wait', () => {
  it.each(['interpreter', 'all'] as const)(
    'do the same whether their rounds are executed or passed over (%s)',
    (tier) => {
      let skipped = 0;
      fc.assert(
        fc.property(
          program,
          fc.integer({ min: 50, max: 200_000 }),
          fc.array(event, { minLength: 2, maxLength: 5 }),
          (code, period, events) => {
            const [quick, slow] = [bench(true, period, tier), bench(false, period, tier)];
            for (const one of [quick, slow]) start(one, code);
            for (const { ticks, isHeard } of events) {
              for (const { cpu } of [quick, slow]) {
                cpu.run(cpu.now + ticks);
                if (isHeard) cpu.physical.write(DATA + 16, Uint8Array.of(1));
              }
              expect(look(quick)).toBe(look(slow));
            }
            expect(slow.cpu.recurrence.skippedTicks).toBe(0);
            skipped += quick.cpu.recurrence.skippedTicks;
          },
        ),
        { numRuns: 60 },
      );
      expect(skipped).toBeGreaterThan(1_000_000);
    },
  );

  it('take hardly any time', () => {
    const { cpu } = bench(true, 1000, 'interpreter');
    start({ cpu }, [0xcd, VECTOR, 0x3c, 0, 0x74, -6 & 0xff]);
    cpu.run(1e12);
    expect(cpu.now).toBe(1e12);
    expect(cpu.recurrence.skippedTicks).toBeGreaterThan(1e12 - 1e6);
  });

  it('are found soon after they worked for long', () => {
    const { cpu } = bench(true, 1000, 'interpreter');
    // INC CX, until the word changes; then nothing.
    start({ cpu }, [0x41, 0x83, 0x3c, 0, 0x74, -6 & 0xff, 0x83, 0x3c, 1, 0x74, -5 & 0xff]);
    cpu.run(20_000_000);
    expect(cpu.recurrence.skippedTicks).toBe(0);
    cpu.physical.write(DATA + 16, Uint8Array.of(1));
    // As if something happened every million ticks.
    for (let n = 0; n < 100; n++) cpu.run(cpu.now + 1_000_000);
    expect(cpu.recurrence.skippedTicks).toBeGreaterThan(60_000_000);
  });

  it('are not looked at in 32-bit code', () => {
    const { cpu } = bench(true, 1000, 'interpreter');
    start({ cpu }, [0xeb, 0xfe], 'flat');
    cpu.run(cpu.now + 1_000_000);
    expect(cpu.recurrence.skippedTicks).toBe(0);
  });
});
