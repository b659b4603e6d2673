import { describe, expect, it } from 'vitest';
import {
  COMMANDS,
  FLAG_BITS,
  MAGIC,
  PORT,
  STATE_BITS,
  STATUS,
  type CommandName,
} from '../../src/devices/backdoor/protocol.js';
import type { BackdoorReply } from '../../src/devices/backdoor/service.js';
import { hostServices } from '../../src/host/services.js';
import { EAX, ECX, EDX } from '../../src/isa/cpu-state.js';
import { createPc } from '../../src/machine/pc.js';
import { AuditLog } from '../../src/policy/audit.js';
import { Gatekeeper } from '../../src/policy/gatekeeper.js';
import { Policy } from '../../src/policy/policy.js';
import { PolicyHolder } from '../../src/policy/policy-holder.js';
import { BackdoorControl } from '../../src/replay/backdoor-control.js';
import { LiveSession } from '../../src/replay/live-session.js';
import { RecordingControl } from '../../src/replay/recording-control.js';

const services = await hostServices();
const RAM_BYTES = 2 * 1024 * 1024;
const TOKEN = 'open sesame';
const TOKEN_SHA256 = '41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb';

const GUESTS_MAY = {
  id: 'guests',
  effect: 'permit',
  principals: [{ guest: true }],
  actions: ['start', 'stop', 'mark', 'log', 'check', 'get', 'status'],
};

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Call {
  readonly ring?: number;
  readonly flags?: number;
  readonly ebx?: number;
  readonly esi?: number;
  readonly edi?: number;
  readonly payload?: string;
}

/** 32-bit IN EAX, DX. */
const IN = Uint8Array.of(0x66, 0xed);
const RESET_VECTOR = 0xf_fff0;

/** The host's side on a machine that knows nothing but an IN; what it asks for, and in which ring, is the test's choice. */
function bench(...rules: object[]) {
  const machine = {
    memoryBytes: RAM_BYTES,
    nsPerTick: 4,
    epochSeconds: 0,
    serialPorts: 2,
    parallelPorts: 0,
    romSha256: '0'.repeat(64),
    apic: false,
    firmware: 'builtin',
    hasVideoRom: false,
    drives: [],
    networkCards: [],
    bootOrder: 'cad',
    bootEntry: null,
  } as const;
  const pc = createPc({ config: machine, code: services.cpuCode(), hashing: services.hashing });
  const session = new LiveSession(pc.machine, 0);
  const { hashing } = services;
  const policy = Policy.parse(JSON.stringify({ version: 1, rules }), 'test');
  const audited: string[] = [];
  const gatekeeper = new Gatekeeper({
    holder: new PolicyHolder(policy),
    audit: new AuditLog({ run: 'test', hashing, sink: (line) => audited.push(line) }),
    hashing,
    wallTime: () => '',
  });
  let files = 0;
  const control = new RecordingControl({
    session,
    hashing,
    compressor: services.compressor,
    createFile: (name) => ({ file: `${name}-${++files}`, write: () => {}, finish: () => {}, abandon: () => {} }),
    description: {
      generator: { name: 'test', version: '0' },
      machine: { ...machine },
      cpuid: '',
      nsPerTick: 4,
      images: [],
    },
    policySha256: () => gatekeeper.policyDigest,
    randomId: () => String(files),
    isoTime: () => '',
    onGrown: () => {},
    onEnded: () => {},
    onFailure: () => {},
  });
  const events: string[] = [];
  const backdoor = new BackdoorControl({
    session,
    control,
    gatekeeper,
    hashing,
    events: {
      recordingStarted: (name) => events.push(`started ${name}`),
      recordingStopped: (name) => events.push(`stopped ${name}`),
      mark: (type, label, value) => events.push(`${type} ${label} ${value}`),
      denied: (principal, action, rule) => events.push(`denied ${principal} ${action} ${rule}`),
    },
  });
  pc.machine.cpu.physical.write(RESET_VECTOR, IN, true);
  /** Does `work` inside an IN. */
  const inside = (work: () => BackdoorReply): BackdoorReply => {
    const { state } = pc.machine.cpu;
    state.eip = RESET_VECTOR & 0xffff;
    state.setGpr(EAX, MAGIC);
    state.setGpr(ECX, COMMANDS.STATUS.number);
    state.setGpr(EDX, PORT);
    let reply: BackdoorReply | undefined;
    pc.backdoor.service = { allowsRing3: () => true, answer: () => (reply = work()) };
    session.run(session.tick + 1);
    return reply!;
  };
  const call = (
    command: CommandName,
    { ring = 0, flags = 0, payload = '', ...registers }: Call = {},
  ): BackdoorReply => {
    const caller = { ring, cr3: 0, eip: 0x7c00, codeSha256: null };
    const zero = { ebx: 0, esi: 0, edi: 0 };
    const request = { command, flags, ...zero, ...registers, payload: utf8(payload), caller };
    return inside(() => backdoor.answer(request));
  };
  const status = (command: CommandName, options?: Call): string => {
    const reply = call(command, options);
    return Object.entries(STATUS).find(([, value]) => value === reply.status)![0];
  };
  return { session, control, backdoor, events, audited, inside, call, status };
}

const NEST = { payload: 'inner', flags: FLAG_BITS.NEST };

describe('a nested start', () => {
  it('joins the running recording, and its stop leaves it running', () => {
    const { status, call, control } = bench(GUESTS_MAY);
    expect(call('START', { payload: 'outer', ...{ flags: FLAG_BITS.NEST } })).toMatchObject({ status: 0, ebx: 1 });
    expect(status('START', { payload: 'inner' })).toBe('BUSY');
    expect(call('START', NEST)).toMatchObject({ status: 0, ebx: 1 });
    expect(call('STOP')).toMatchObject({ status: 0, ebx: 1 });
    expect(control.active?.name).toBe('outer');
    expect(status('STOP', { ebx: 2 })).toBe('INVALID');
    expect(status('STOP', { ebx: 1 })).toBe('OK');
    expect(control.active).toBeNull();
    expect(status('STOP')).toBe('NOT_RECORDING');
  });

  it('may join what belongs to another, and leave it, but not end it', () => {
    const { status, control } = bench(GUESTS_MAY);
    control.start({ name: 'of the host', reason: '', by: 'host:user' });
    for (let i = 0; i < 3; i++) expect(status('START', NEST)).toBe('OK');
    for (let i = 0; i < 3; i++) expect(status('STOP')).toBe('OK');
    expect(status('STOP')).toBe('NOT_OWNER');
    expect(control.active?.name).toBe('of the host');
  });

  it('of ring 3 is no obstacle to the kernel, nor does the kernel’s stop use it up', () => {
    const { status, control } = bench(GUESTS_MAY);
    expect(status('START', { payload: 'kernel' })).toBe('OK');
    expect(status('START', { ...NEST, ring: 3 })).toBe('OK');
    expect(status('START', { ...NEST, ring: 0 })).toBe('OK');
    expect(status('STOP', { ring: 0 })).toBe('OK');
    expect(control.active).not.toBeNull();
    expect(status('STOP', { ring: 3 })).toBe('OK');
    expect(status('STOP', { ring: 3 })).toBe('NOT_OWNER');
    expect(status('START', { ...NEST, ring: 3 })).toBe('OK');
    expect(status('STOP', { ring: 0 })).toBe('OK');
    expect(control.active).toBeNull();
  });

  it('is nothing to who may not start: not even BUSY', () => {
    const { status, control, events } = bench({ ...GUESTS_MAY, principals: [{ ring: 0 }] });
    control.start({ name: 'of the host', reason: '', by: 'host:user' });
    expect(status('START', { ...NEST, ring: 3 })).toBe('DENIED');
    expect(status('START', { payload: 'x', ring: 3 })).toBe('DENIED');
    expect(events).toEqual(Array(2).fill('denied guest:ring3 start default'));
  });

  it('belongs to one recording, as phases do, also when the host ends that', () => {
    const { status, call, control } = bench(GUESTS_MAY);
    control.start({ name: 'first', reason: '', by: 'host:user' });
    expect(status('START', NEST)).toBe('OK');
    expect(status('BEGIN', { payload: 'phase' })).toBe('OK');
    expect(call('STATUS').ebx).toBe(STATE_BITS.RECORDING | STATE_BITS.STARTED_BY_HOST | STATE_BITS.IN_PHASE);
    control.stop('stopped', 'host:user');
    expect(call('STATUS').ebx).toBe(0);
    control.start({ name: 'second', reason: '', by: 'host:user' });
    expect(call('STATUS').ebx).toBe(STATE_BITS.RECORDING | STATE_BITS.STARTED_BY_HOST);
    expect(status('END', { payload: 'phase' })).toBe('INVALID');
    expect(status('STOP')).toBe('NOT_OWNER');
  });
});

describe('a stop', () => {
  it.each([
    [0, 0, 'OK'],
    [3, 0, 'OK'],
    [3, 3, 'OK'],
    [3, 1, 'OK'],
    [0, 1, 'NOT_OWNER'],
    [0, 3, 'NOT_OWNER'],
    [2, 3, 'NOT_OWNER'],
  ])('of what ring %i started by ring %i: %s', (starter, stopper, expected) => {
    const { status, control } = bench(GUESTS_MAY);
    expect(status('START', { payload: 'x', ring: starter })).toBe('OK');
    expect(status('STOP', { ring: stopper })).toBe(expected);
    expect(control.active === null).toBe(expected === 'OK');
  });

  it('that comes after another end of the recording does not end the next one', () => {
    const { control, session, backdoor, events, inside, status } = bench(GUESTS_MAY);
    expect(status('START', { payload: 'x' })).toBe('OK');
    const caller = { ring: 0, cr3: 0, eip: 0, codeSha256: null };
    const request = { command: 'STOP', flags: 0, ebx: 0, esi: 0, edi: 0, payload: utf8(''), caller } as const;
    const reply = inside(() => {
      session.atBoundary(() => {
        control.stop('limit: ticks');
        control.start({ name: 'next', reason: '', by: 'host:user' });
      });
      return backdoor.answer(request);
    });
    expect(reply.status).toBe(STATUS.OK);
    expect(control.active?.name).toBe('next');
    expect(events).toEqual(['started x']);
  });
});

describe('the limit of ticks', () => {
  it('counts from the boundary behind the IN, where the recording begins', () => {
    const { call, control } = bench({ ...GUESTS_MAY, limits: { maxTicks: 100 } });
    for (let i = 0; i < 50; i++) call('HELLO');
    expect(call('START', { payload: 'x' })).toMatchObject({ status: 0, ecx: 51, edx: 0 });
    expect(control.active).toMatchObject({ startTick: 51, endTick: 151 });
  });

  it('is none where the policy has none, and cannot overflow', () => {
    const free = bench(GUESTS_MAY);
    free.call('START', { payload: 'x' });
    expect(free.control.active!.endTick).toBeNull();
    const largest = bench({ ...GUESTS_MAY, limits: { maxTicks: Number.MAX_SAFE_INTEGER } });
    for (let i = 0; i < 50; i++) largest.call('HELLO');
    largest.call('START', { payload: 'x' });
    expect(largest.control.active!.endTick).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('phases and verdicts', () => {
  it('nest, have numbers that never come again, and end by name', () => {
    const { call, status, events } = bench(GUESTS_MAY);
    call('START', { payload: 'x' });
    expect(['a', 'b', 'a'].map((payload) => call('BEGIN', { payload }).ebx)).toEqual([1, 2, 3]);
    expect(['a', 'b', 'a'].map((payload) => call('END', { payload }).ebx)).toEqual([3, 2, 1]);
    expect(status('END', { payload: 'a' })).toBe('INVALID');
    call('STOP');
    call('START', { payload: 'y' });
    expect(call('BEGIN', { payload: 'a' }).ebx).toBe(4);
    expect(status('VERDICT', { payload: 'a', ebx: 2 })).toBe('OK');
    expect(status('VERDICT', { payload: 'a', ebx: 3 })).toBe('INVALID');
    expect(status('VERDICT', { payload: 'a', ebx: 0xffff_ffff })).toBe('INVALID');
    expect(events.filter((event) => event.startsWith('verdict'))).toEqual(['verdict a 2']);
  });
});

describe('tokens', () => {
  const rule = {
    ...GUESTS_MAY,
    principals: [{ guest: true, tokenSha256: TOKEN_SHA256 }],
    actions: ['start', 'status'],
  };

  it('count from the call that presents them, and one that nobody knows changes nothing', () => {
    const { call, status } = bench(rule);
    expect(status('STATUS')).toBe('DENIED');
    expect(status('AUTH', { payload: 'guess' })).toBe('DENIED');
    expect(call('AUTH', { payload: TOKEN })).toEqual({ status: 0, ecx: 0b10_0000_0001 });
    expect(status('AUTH', { payload: 'another guess' })).toBe('DENIED');
    expect(call('STATUS')).toMatchObject({ status: 0, ecx: 0b10_0000_0001 });
  });
});

describe('HELLO', () => {
  const hello = (esi: number, ebx = ~MAGIC >>> 0) => bench().call('HELLO', { ebx, esi });

  it.each([
    [0x0001_0001, 'OK'],
    [0xffff_0000, 'OK'],
    [0x0001_0002, 'INVALID'],
    [0x0000_0000, 'INVALID'],
    [0x0005_0002, 'INVALID'],
  ] as const)('for the versions %x: %s', (esi, expected) => {
    expect(hello(esi).status).toBe(STATUS[expected]);
  });

  it('wants the magic upside down', () => {
    expect(hello(0x0001_0001, MAGIC).status).toBe(STATUS.INVALID);
  });
});

describe('GET', () => {
  it('hands over in pieces, then nothing, and the handles do not mix', () => {
    const { backdoor, call } = bench(GUESTS_MAY);
    backdoor.offer(7, utf8('abcdef'));
    backdoor.offer(8, utf8('other'));
    expect(call('GET', { ebx: 7, edi: 4 })).toEqual({ status: 0, ecx: 4, data: utf8('abcd') });
    expect(call('GET', { ebx: 7, edi: 0 })).toEqual({ status: 0, ecx: 0, data: utf8('') });
    expect(call('GET', { ebx: 7, edi: 4 })).toEqual({ status: 0, ecx: 2, data: utf8('ef') });
    expect(call('GET', { ebx: 7, edi: 4 })).toMatchObject({ status: 0, ecx: 0 });
    expect(call('GET', { ebx: 9, edi: 4 })).toEqual({ status: 0, ecx: 0 });
    expect(call('GET', { ebx: 8, edi: 99 })).toMatchObject({ ecx: 5 });
  });
});

describe('every decision', () => {
  it('is in the audit: one entry for each allow and each deny', () => {
    const { status, audited } = bench(GUESTS_MAY);
    const calls: [CommandName, Call, string][] = [
      ['START', { payload: 'x' }, 'OK'],
      ['MARK', { payload: 'm' }, 'OK'],
      ['PUT', { payload: 'p' }, 'DENIED'],
      ['EXIT', {}, 'DENIED'],
      ['STOP', {}, 'OK'],
    ];
    for (const [command, options, expected] of calls) expect(status(command, options)).toBe(expected);
    expect(audited.map((line) => (JSON.parse(line) as { action: string }).action)).toEqual([
      'start',
      'mark',
      'put',
      'exit',
      'stop',
    ]);
  });
});
