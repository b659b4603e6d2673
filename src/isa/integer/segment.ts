import { CS, DS, ES, EXCEPTION, FS, GS, SS } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';

/** 0/1: ModRM's reg field does not name one of the six segment registers. */
const noSegment = (number: I32): I32 => i32.gt_u(number, GS);

const movFrom: SemanticsFn = (c, [dst, segment]) => {
  c.raiseIf(noSegment(c.index(segment)), EXCEPTION.UD);
  c.write(dst, c.read(segment));
};

/** CS is loaded by far transfers only. */
const movTo: SemanticsFn = (c, [segment, src]) => {
  const number = c.let(c.index(segment));
  c.raiseIf(i32.or(noSegment(number), i32.eq(number, CS)), EXCEPTION.UD);
  const selector = c.let(i32.and(c.read(src), 0xffff));
  c.if(i32.eqz(c.quickLoadSegment(number, selector)), () => c.system('loadSegment', number, selector));
};

/** With a 32-bit operand size the selector is pushed zero-extended. */
const push: SemanticsFn = (c, [segment]) => c.push(c.operandSize, c.let(c.read(segment)));

/** Sixteen bits are read whatever the operand size. */
const pop =
  (segment: number): SemanticsFn =>
  (c) => {
    if (segment === SS) {
      c.system('popSegment', segment, c.operandSize);
      return;
    }
    const sp = c.stackPointer();
    const selector = c.let(c.loadMemory(SS, sp, 16));
    c.if(i32.eqz(c.quickLoadSegment(i32.const(segment), selector)), () =>
      c.system('popSegment', segment, c.operandSize),
    );
    c.setStackPointer(i32.add(sp, c.operandSize / 8));
  };

/** Both halves are read before the segment is loaded; the general register changes last. */
const loadFar =
  (segment: number): SemanticsFn =>
  (c, [dst, pointer]) => {
    const size = c.operandSize;
    const offset = c.let(c.loadAt(pointer, 0, size));
    const selector = c.let(c.loadAt(pointer, size / 8, 16));
    const load = (): void => c.system('loadFarPointer', segment, c.index(dst), selector, offset, size);
    if (segment === SS) {
      load();
      return;
    }
    c.if(i32.eqz(c.quickLoadSegment(i32.const(segment), selector)), load);
    c.write(dst, offset);
  };

export const SEGMENT: readonly Instruction[] = [
  instruction('MOV', '8C /r', 'Rv/Mw, Sw', movFrom),
  instruction('MOV', '8E /r', 'Sw, Ew', movTo),
  instruction('PUSH', '06', 'ES', push),
  instruction('PUSH', '0E', 'CS', push),
  instruction('PUSH', '16', 'SS', push),
  instruction('PUSH', '1E', 'DS', push),
  instruction('PUSH', '0F A0', 'FS', push),
  instruction('PUSH', '0F A8', 'GS', push),
  instruction('POP', '07', 'ES', pop(ES)),
  instruction('POP', '17', 'SS', pop(SS)),
  instruction('POP', '1F', 'DS', pop(DS)),
  instruction('POP', '0F A1', 'FS', pop(FS)),
  instruction('POP', '0F A9', 'GS', pop(GS)),
  instruction('LES', 'C4 /r', 'Gv, Mp', loadFar(ES)),
  instruction('LDS', 'C5 /r', 'Gv, Mp', loadFar(DS)),
  instruction('LSS', '0F B2 /r', 'Gv, Mp', loadFar(SS)),
  instruction('LFS', '0F B4 /r', 'Gv, Mp', loadFar(FS)),
  instruction('LGS', '0F B5 /r', 'Gv, Mp', loadFar(GS)),
];
