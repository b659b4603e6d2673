import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { utf8Decode, utf8Encode } from '../../base/platform.js';
import type { Form } from '../decode/form.js';
import type { HandlerIndex } from './block-cache.js';
import type { InterpreterCode } from './handlers.js';

/** A generated interpreter without the routines that it was generated from. */
export interface EngineCode extends Omit<InterpreterCode, 'module'> {
  /** WebAssembly. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Names of the routines that regions may call. */
  readonly exported: readonly string[];
}

interface StoredIndex {
  /** Names all forms in order: an interpreter of other forms is of no use. */
  readonly forms: string;
  readonly exported: readonly string[];
  readonly hotCount: number;
  readonly handlers: readonly HandlerIndex[];
  readonly undefinedOpcode: HandlerIndex;
  readonly tooLong: HandlerIndex;
  /** Form ids by slot. */
  readonly formOfSlot: readonly (number | null)[];
  readonly leavesOfSlot: readonly boolean[];
}

export function engineCode({ module, ...rest }: InterpreterCode): EngineCode {
  return { bytes: module.bytes, exported: [...module.exported.keys()], ...rest };
}

function namesOf(forms: readonly Form[]): string {
  return forms
    .map(({ encoding, operandSize, memory }) => {
      const { mnemonic, pattern } = encoding.instruction;
      return `${mnemonic} ${pattern} ${operandSize}${memory ? 'm' : ''}`;
    })
    .join('|');
}

/** A generated interpreter as bytes, so that a program need not generate it at each start. */
export function storeInterpreter(code: EngineCode, forms: readonly Form[]): Uint8Array {
  const { bytes, formOfSlot, ...rest } = code;
  const index: StoredIndex = {
    ...rest,
    forms: namesOf(forms),
    formOfSlot: formOfSlot.map((form) => form?.id ?? null),
  };
  return new ByteWriter()
    .blob(utf8Encode(JSON.stringify(index)))
    .blob(bytes)
    .finish();
}

/** The opposite; null when it was made for other forms. */
export function loadInterpreter(stored: Uint8Array, forms: readonly Form[]): EngineCode | null {
  const input = new ByteReader(stored, 'stored interpreter');
  const { forms: names, formOfSlot, ...rest } = JSON.parse(utf8Decode(input.blob())) as StoredIndex;
  if (names !== namesOf(forms)) return null;
  const bytes = input.blob().slice();
  input.end();
  return { ...rest, bytes, formOfSlot: formOfSlot.map((id) => (id === null ? null : forms[id])) };
}
