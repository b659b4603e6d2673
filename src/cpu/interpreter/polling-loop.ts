import type { Decoded } from '../decode/decoder.js';

/** One-byte opcodes: TEST, AND and CMP of AL with an immediate. */
const AL_WITH_IMMEDIATE = new Set([0xa8, 0x24, 0x3c]);
/** The same for any byte register, by ModRM. */
const BYTE_WITH_IMMEDIATE = new Set([0xf6, 0x80]);
const TESTS = new Set(['TEST', 'AND', 'CMP']);

/**
 * Finds out, while a block is decoded, whether it does nothing but wait for bits of a port: constants into registers, IN to
 * AL, AL compared with an immediate, and a conditional branch back to its first instruction. What a round leaves behind
 * depends on the byte it read and on nothing before; so when a round read the same as the one before it, there is
 * nothing that rounds to come could change, until the port reads otherwise.
 */
export class PollingLoop {
  #input = 0;
  #count = 0;
  #isTested = false;
  #isPossible = true;
  #isClosed = false;

  begin(): void {
    this.#input = this.#count = 0;
    this.#isTested = this.#isClosed = false;
    this.#isPossible = true;
  }

  /** The block's next instruction: its op record, and its offset from the block's first byte. */
  add(d: Decoded, record: number, offset: number): void {
    this.#count++;
    if (!this.#isPossible) return;
    const { form } = d;
    const mnemonic = form?.encoding.instruction.mnemonic;
    if (form === null || form.memory) this.#isPossible = false;
    else if (mnemonic === 'MOV') this.#isPossible = this.#input === 0 && (d.opcode & 0xf0) === 0xb0;
    else if (mnemonic === 'IN') {
      this.#isPossible = this.#input === 0 && (d.opcode & 1) === 0;
      this.#input = record;
    } else if (TESTS.has(mnemonic!)) {
      this.#isPossible = this.#input !== 0 && isOfAl(d);
      this.#isTested = true;
    } else {
      this.#isPossible = mnemonic === 'Jcc' && this.#isTested && offset + d.length + d.immediate === 0;
      this.#isClosed = true;
    }
  }

  /** The IN's op record and the instructions of a round; null when the block is something else. */
  end(): { readonly input: number; readonly ticks: number } | null {
    return this.#isPossible && this.#isClosed ? { input: this.#input, ticks: this.#count } : null;
  }
}

/** Both operands are known when AL is: no register but AL, and an immediate. */
function isOfAl({ opcode, modrm }: Decoded): boolean {
  return AL_WITH_IMMEDIATE.has(opcode) || (BYTE_WITH_IMMEDIATE.has(opcode) && (modrm & 0xc7) === 0xc0);
}
