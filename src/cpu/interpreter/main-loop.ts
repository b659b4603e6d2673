import { CS, STATE } from '../../isa/cpu-state.js';
import type { Body, Label, Routine } from '../../isa/ir/body.js';
import { hostFunction, routine } from '../../isa/ir/body.js';
import type { Callable, I32, Local } from '../../isa/ir/expr.js';
import { call, i32, select } from '../../isa/ir/expr.js';
import type { Form } from '../decode/form.js';
import { tlbAddress } from '../memory/access.js';
import { JUMP_CACHE_ENTRIES, LAYOUT, LOOKUP_ENTRIES, TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import { STATUS } from './generic-context.js';
import { HotContext } from './hot-context.js';
import { RECORD, RECORD_BYTES, SPECIAL } from './record.js';

/** fetchBlock(eip): first record of the block at EIP, decoding it if need be; 0 with a fault pending. */
export const fetchBlock = hostFunction('fetchBlock', ['i32'], 'i32');
/** deliverFault(): turns the pending fault into an exception; the state then says where execution goes on. */
export const deliverFault = hostFunction('deliverFault', [], null);

/** Mode bits of a lookup key; nonzero, so that an empty entry matches nothing. */
export const MODE = { PRESENT: 4, FLAT: 2, CODE32: 1 } as const;

/** hotBlock(record, eip): the block headed by a PROFILE record is hot, or the code that a REGION record leads to. */
export const hotBlock = hostFunction('hotBlock', ['i32', 'i32'], null);

const callTable: Callable & { result: 'i32' } = { name: 'call_indirect', params: ['i32', 'i32'], result: 'i32' };

/** callHandler(record, slot): the generic handler of a record, for code outside the loop. */
export const callHandler = routine('callHandler', ['i32', 'i32'], 'i32', (b, rec, slot) => {
  b.return(call(callTable, rec, slot));
});

/** Address of the lookup entry for a physical address. */
export function lookupSlot(physical: I32): I32 {
  return i32.add(LAYOUT.lookup, i32.shl(i32.and(i32.xor(physical, i32.shr_u(physical, 16)), LOOKUP_ENTRIES - 1), 4));
}
export function lookupSlotOf(physical: number): number {
  return LAYOUT.lookup + (((physical ^ (physical >>> 16)) & (LOOKUP_ENTRIES - 1)) << 4);
}

/** One hot case: a form, with its condition fixed where the opcode carries one. */
export interface HotCase {
  readonly form: Form;
  readonly condition: number | null;
}

/**
 * run(): executes instructions until the budget in the state is used up or host code sets it to zero. One br_table
 * dispatches specials and hot forms; everything else is a call through the function table.
 */
export function mainLoop(hotCases: readonly HotCase[]): Routine {
  return {
    name: 'run',
    params: [],
    result: null,
    createBody: () => new HotContext([]),
    build: (body: Body) => buildLoop(body as HotContext, hotCases),
  };
}

/** The loop's variables. */
interface LoopVariables {
  readonly rec: Local<'i32'>;
  readonly budget: Local<'i32'>;
  readonly blockEip: Local<'i32'>;
  readonly eip: Local<'i32'>;
  readonly tlbRead: Local<'i32'>;
  readonly tlbWrite: Local<'i32'>;
  readonly linkFrom: Local<'i32'>;
  readonly mode: Local<'i32'>;
  /** What an entry of the jump cache must have been made under; -1 when it may not be used. */
  readonly jumpKey: Local<'i32'>;
  /** The next record must not enter a region: it is what the region could not do. */
  readonly skipRegion: Local<'i32'>;
}

function buildLoop(c: HotContext, hotCases: readonly HotCase[]): void {
  const variable = (): Local<'i32'> => c.var(i32.const(0));
  const v: LoopVariables = {
    rec: variable(),
    budget: variable(),
    blockEip: variable(),
    eip: variable(),
    tlbRead: variable(),
    tlbWrite: variable(),
    linkFrom: variable(),
    mode: variable(),
    jumpKey: variable(),
    skipRegion: variable(),
  };
  const instructionEip = (): I32 => instructionEipOf(v);

  const all = Object.values(v) as Local<'i32'>[];
  c.loop((resync) => {
    c.forget(all);
    loadState(c, v);
    c.block((fault) => {
      c.loop((lookup) => {
        c.forget(all);
        // Looking up may set accessed bits: not before the instruction is due.
        c.if(i32.eqz(v.budget), () => {
          c.store(STATE.eip, v.eip);
          c.store(STATE.budget, 0);
          c.return();
        });
        c.scoped(() => findBlock(c, v, resync));
        c.set(v.blockEip, v.eip);
        c.if(v.skipRegion, () => {
          c.set(v.skipRegion, i32.const(0));
          c.if(i32.eq(i32.load16_u(v.rec, RECORD.hot), SPECIAL.REGION), () =>
            c.set(v.rec, i32.add(v.rec, RECORD_BYTES)),
          );
        });
        c.loop((block) => {
          c.forget(all);
          // Nearly every block starts with this record: a dispatch of its own would be a tenth of them all.
          c.if(i32.eq(i32.load16_u(v.rec, RECORD.hot), SPECIAL.PROFILE), () => countExecution(c, v));
          c.block((outOfBudget) => {
            c.loop((again) => {
              c.forget(all);
              c.block((outside) => {
                dispatchLoop(c, v, { hotCases, block, lookup, outside, outOfBudget });
              });
              outsideLoop(c, v, { again, lookup, resync, fault });
            });
          });
          c.store(STATE.eip, instructionEip());
          c.store(STATE.budget, 0);
          c.return();
        });
      });
    });
    // Reached by `fault` only.
    c.store(STATE.eip, instructionEip());
    c.store(STATE.instructionEip, instructionEip());
    c.store(STATE.budget, v.budget);
    c.do(deliverFault);
    c.br(resync);
  });
}

const instructionEipOf = (v: LoopVariables): I32 => i32.add(v.blockEip, i32.load16_u(v.rec, RECORD.offset));

interface DispatchExits {
  readonly hotCases: readonly HotCase[];
  readonly block: Label;
  readonly lookup: Label;
  /** What `rec` says is done by a call, and has its tick. */
  readonly outside: Label;
  readonly outOfBudget: Label;
}

/** Record after record, as long as nothing has to be called. */
function dispatchLoop(c: HotContext, v: LoopVariables, exits: DispatchExits): void {
  const { hotCases, block, lookup, outside, outOfBudget } = exits;
  c.loop((dispatch) => {
    c.forget(Object.values(v) as Local<'i32'>[]);
    c.brIf(outOfBudget, i32.eqz(v.budget));
    c.set(v.budget, i32.sub(v.budget, 1));
    c.enter({ ...v, block, dispatch, lookup, generic: outside });
    const end = (): void => {
      c.set(v.budget, i32.add(v.budget, 1));
      c.set(v.eip, instructionEipOf(v));
      c.set(v.linkFrom, i32.const(0));
      c.br(lookup);
    };
    const refetch = (): void => {
      // Or the jump cache would find the dropped block again.
      c.store(c.let(jumpCacheSlot(instructionEipOf(v))), NO_JUMP, 4);
      end();
    };
    const call = (): void => c.br(outside);
    const cases = [call, end, refetch, call, call, call];
    for (const { form, condition } of hotCases) cases.push(() => c.emitHot(form, condition));
    c.switch(
      i32.load16_u(v.rec, RECORD.hot),
      cases.map((emit) => () => c.scoped(emit)),
    );
  });
}

interface OutsideExits {
  /** Back to the loop of records. */
  readonly again: Label;
  readonly lookup: Label;
  readonly resync: Label;
  readonly fault: Label;
}

/** What a record asks for besides instructions that can be done in the loop. */
function outsideLoop(c: HotContext, v: LoopVariables, { again, lookup, resync, fault }: OutsideExits): void {
  const generic = (): void => {
    const at = c.let(instructionEipOf(v));
    c.store(STATE.instructionEip, at);
    c.store(STATE.nextEip, i32.add(at, i32.load8_u(v.rec, RECORD.length)));
    c.store(STATE.budget, v.budget);
    const status = c.let(call(callTable, v.rec, i32.load16_u(v.rec, RECORD.generic)));
    c.brIf(resync, i32.eq(status, STATUS.RESYNC));
    c.set(v.budget, i32.load(STATE.budget));
    c.brIf(fault, i32.eq(status, STATUS.FAULT));
    c.set(v.rec, i32.add(v.rec, RECORD_BYTES));
    c.br(again);
  };
  /** Specials take no tick. */
  const free = (special: () => void) => (): void => {
    c.set(v.budget, i32.add(v.budget, 1));
    special();
    c.br(again);
  };
  const straddle = free(() => checkStraddle(c, v, resync));
  const profile = free(() => countExecution(c, v));
  const region = free(() => enterRegion(c, v, lookup, resync));
  const never = (): void => c.unreachable();
  c.switch(
    i32.load16_u(v.rec, RECORD.hot),
    [generic, never, never, straddle, profile, region].map((emit) => () => c.scoped(emit)),
    () => c.scoped(generic),
  );
}

/** Takes everything cached from the state; leaves when the slice is over. */
function loadState(c: HotContext, v: LoopVariables): void {
  c.set(v.budget, i32.load(STATE.budget));
  c.if(i32.eqz(v.budget), () => c.return());
  c.set(v.tlbRead, i32.load(STATE.tlbRead));
  c.set(v.tlbWrite, i32.load(STATE.tlbWrite));
  c.set(v.eip, i32.load(STATE.eip));
  c.set(v.linkFrom, i32.const(0));
  const flat = select(i32.load(STATE.flat), i32.const(MODE.PRESENT | MODE.FLAT), i32.const(MODE.PRESENT));
  const code32 = i32.and(i32.shr_u(i32.load(STATE.segAccess + 4 * CS), 14), MODE.CODE32);
  c.set(v.mode, i32.or(flat, code32));
  loadJumpKey(c, v);
}

/** Only flat code needs no limit check; ring 3 and the others look at different TLB entries. */
function loadJumpKey(c: HotContext, v: LoopVariables): void {
  const user = i32.eq(i32.load(STATE.cpl), 3);
  const key = i32.or(i32.shl(i32.load(STATE.codeEpoch), 4), i32.or(i32.shl(user, 3), v.mode));
  c.set(v.jumpKey, select(i32.and(v.mode, MODE.FLAT), key, i32.const(-1)));
}

/** Key of an entry that is none. */
const NO_JUMP = -2;

/** Address of the jump cache's entry for an EIP. */
function jumpCacheSlot(eip: I32): I32 {
  const hash = i32.xor(eip, i32.shr_u(eip, 10));
  return i32.add(LAYOUT.jumpCache, i32.shl(i32.and(hash, JUMP_CACHE_ENTRIES - 1), 4));
}

/** rec = the block at eip: by the jump cache, by the lookup cache, else by the host. */
function findBlock(c: HotContext, v: LoopVariables, resync: Label): void {
  c.block((found) => {
    const link = (): void =>
      c.if(v.linkFrom, () => {
        c.store(v.linkFrom, v.rec, RECORD.immediate2);
        c.set(v.linkFrom, i32.const(0));
      });
    const linear = c.let(i32.add(v.eip, i32.load(STATE.segBase + 4 * CS)));
    const entry = c.let(i32.load(tlbAddress(v.tlbRead, linear)));
    const cached = c.let(jumpCacheSlot(v.eip));
    const isSameJump = i32.and(i32.eq(i32.load(cached), v.eip), i32.eq(i32.load(cached, 4), v.jumpKey));
    c.if(i32.and(isSameJump, i32.eq(i32.load(cached, 12), entry)), () => {
      c.set(v.rec, i32.load(cached, 8));
      link();
      c.br(found);
    });
    c.if(i32.and(entry, TLB_FAST), () => {
      const physical = c.let(i32.add(i32.add(linear, entry), TLB_BIAS - LAYOUT.ram));
      const slot = c.let(lookupSlot(physical));
      c.if(i32.and(i32.eq(i32.load(slot), physical), i32.eq(i32.load(slot, 4), v.mode)), () => {
        const last = i32.add(v.eip, i32.load(slot, 12));
        const limit = i32.load(STATE.segLimit + 4 * CS);
        const fits = i32.or(i32.load(STATE.flat), i32.and(i32.le_u(last, limit), i32.ge_u(last, v.eip)));
        c.if(fits, () => {
          c.set(v.rec, i32.load(slot, 8));
          link();
          c.if(i32.ge_s(v.jumpKey, 0), () => {
            c.store(cached, v.eip);
            c.store(cached, v.jumpKey, 4);
            c.store(cached, v.rec, 8);
            c.store(cached, entry, 12);
          });
          c.br(found);
        });
      });
    });
    fetch(c, v, v.eip, resync);
  });
}

/** rec = fetchBlock(eip). Fetching is part of the instruction at eip: a fault takes its tick, a cut comes behind it. */
function fetch(c: HotContext, v: LoopVariables, eip: I32, resync: Label): void {
  c.store(STATE.budget, i32.sub(v.budget, 1));
  c.store(STATE.eip, eip);
  c.store(STATE.instructionEip, eip);
  c.set(v.rec, call(fetchBlock, eip));
  // Decoding may have dropped the record that wanted to be linked, and others.
  c.set(v.linkFrom, i32.const(0));
  loadJumpKey(c, v);
  c.if(i32.eqz(v.rec), () => {
    c.do(deliverFault);
    c.br(resync);
  });
  c.set(v.budget, i32.add(i32.load(STATE.budget), 1));
}

/** Goes on to the next record if the block's second page is still the one it was decoded from. */
function checkStraddle(c: HotContext, v: LoopVariables, resync: Label): void {
  const second = c.let(i32.and(i32.add(i32.add(v.blockEip, i32.load(STATE.segBase + 4 * CS)), 4096), ~0xfff));
  const entry = c.let(i32.load(tlbAddress(v.tlbRead, second)));
  const host = i32.add(i32.add(second, entry), TLB_BIAS);
  c.if(
    i32.and(i32.and(entry, TLB_FAST), i32.eq(host, i32.load(v.rec, RECORD.immediate))),
    () => c.set(v.rec, i32.add(v.rec, RECORD_BYTES)),
    () => {
      fetch(c, v, v.blockEip, resync);
      // A straddling block starts with its check, which has just been made.
      c.if(i32.eq(i32.load16_u(v.rec, RECORD.hot), SPECIAL.STRADDLE), () => c.set(v.rec, i32.add(v.rec, RECORD_BYTES)));
    },
  );
}

/** Goes on to the block's first instruction, or stays at the head when it was compiled just now. */
function countExecution(c: HotContext, v: LoopVariables): void {
  const left = c.let(i32.sub(i32.load(v.rec, RECORD.immediate), 1));
  c.store(v.rec, left, RECORD.immediate);
  c.if(i32.eqz(left), () => c.do(hotBlock, v.rec, v.blockEip));
  c.if(i32.ne(i32.load16_u(v.rec, RECORD.hot), SPECIAL.REGION), () => c.set(v.rec, i32.add(v.rec, RECORD_BYTES)));
}

/** Runs compiled code, or goes on to the block's first instruction when it is meant for another address. */
function enterRegion(c: HotContext, v: LoopVariables, lookup: Label, resync: Label): void {
  c.if(
    i32.eq(v.blockEip, i32.load(v.rec, RECORD.displacement)),
    () => {
      const left = c.let(i32.sub(i32.load(v.rec, RECORD.immediate), 1));
      c.store(v.rec, left, RECORD.immediate);
      c.if(i32.eqz(left), () => {
        c.do(hotBlock, v.rec, v.blockEip);
        // It may lead somewhere else by now.
        c.set(v.eip, v.blockEip);
        c.set(v.linkFrom, i32.const(0));
        c.br(lookup);
      });
      c.store(STATE.eip, v.blockEip);
      c.store(STATE.budget, v.budget);
      const status = c.let(call(callTable, i32.load(v.rec, RECORD.immediate2), i32.load16_u(v.rec, RECORD.generic)));
      c.set(v.budget, i32.load(STATE.budget));
      c.set(v.eip, i32.load(STATE.eip));
      c.set(v.linkFrom, i32.const(0));
      c.if(i32.eq(status, STATUS.STEP), () => {
        c.set(v.skipRegion, i32.const(1));
        c.br(lookup);
      });
      c.if(i32.eq(status, STATUS.FAULT), () => {
        c.store(STATE.eip, i32.load(STATE.instructionEip));
        c.do(deliverFault);
      });
      c.brIf(resync, status);
      c.br(lookup);
    },
    () => c.set(v.rec, i32.add(v.rec, RECORD_BYTES)),
  );
}
