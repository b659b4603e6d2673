import type { Instruction } from '../../isa/instruction.js';
import type { Encoding, Form } from './form.js';
import { parseEncoding } from './form.js';

function matchesModrm(e: Encoding, modrm: number): boolean {
  const m = e.modrm;
  if (m === null) return true;
  const isRegister = modrm >= 0xc0;
  if (m.exact !== null) return m.exact.includes(modrm);
  if (m.mod === 'register' && !isRegister) return false;
  if (m.mod === 'memory' && isRegister) return false;
  return m.digit === null || ((modrm >> 3) & 7) === m.digit;
}

/** Prefixes as the decoder saw them, for choosing among mandatory-prefix encodings. */
export interface PrefixChoice {
  readonly operandSizeOverride: boolean;
  /** Last of F2/F3, 0 when neither is present. */
  readonly repeat: 0 | 0xf2 | 0xf3;
}

function prefixRank(e: Encoding, p: PrefixChoice): number {
  switch (e.mandatoryPrefix) {
    case 0xf2:
    case 0xf3:
      return p.repeat === e.mandatoryPrefix ? 4 : 0;
    case 0x66:
      return p.operandSizeOverride && p.repeat === 0 ? 3 : 0;
    case 'none':
      return !p.operandSizeOverride && p.repeat === 0 ? 2 : 0;
    case 'any':
      return 1;
  }
}

/** Finds the form of an instruction from opcode, prefixes and ModRM; derived from the instruction table. */
export class OpcodeMap {
  readonly forms: Form[] = [];
  readonly #byOpcode: Encoding[][][];
  readonly #formIds = new Map<Encoding, (Form | undefined)[]>();
  readonly #resolved = new Map<number, Form | null>();

  constructor(table: readonly Instruction[], features: ReadonlySet<string>) {
    this.#byOpcode = [0, 1].map(() => Array.from({ length: 256 }, (): Encoding[] => []));
    for (const instruction of table) {
      const feature = instruction.options.feature;
      if (feature !== undefined && !features.has(feature)) continue;
      const encoding = parseEncoding(instruction);
      for (const opcode of encoding.opcodes) this.#byOpcode[encoding.map][opcode].push(encoding);
      this.#formIds.set(encoding, []);
      for (const operandSize of [16, 32] as const) {
        for (const memory of formsOf(encoding)) {
          const form: Form = { id: this.forms.length, encoding, operandSize, memory };
          this.forms.push(form);
          this.#formIds.get(encoding)![(operandSize === 32 ? 2 : 0) + (memory ? 1 : 0)] = form;
        }
      }
    }
  }

  /** True when any encoding of this opcode has a ModRM byte. Undefined opcodes have none. */
  hasModrm(map: 0 | 1, opcode: number): boolean {
    return this.#byOpcode[map][opcode].some((e) => e.modrm !== null);
  }

  /** The form, or null for an undefined encoding. */
  resolve(map: 0 | 1, opcode: number, prefixes: PrefixChoice, modrm: number, operandSize: 16 | 32): Form | null {
    const key =
      ((((((map << 8) | opcode) << 8) | modrm) << 2) | (prefixes.repeat === 0 ? 0 : prefixes.repeat - 0xf1)) * 4 +
      (prefixes.operandSizeOverride ? 2 : 0) +
      (operandSize === 32 ? 1 : 0);
    const known = this.#resolved.get(key);
    if (known !== undefined) return known;
    const form = this.#search(map, opcode, prefixes, modrm, operandSize);
    this.#resolved.set(key, form);
    return form;
  }

  #search(map: 0 | 1, opcode: number, prefixes: PrefixChoice, modrm: number, operandSize: 16 | 32): Form | null {
    let best: Encoding | null = null;
    let bestRank = 0;
    for (const e of this.#byOpcode[map][opcode]) {
      if (!matchesModrm(e, modrm)) continue;
      // A ModRM byte spelled out is more specific than a digit or /r.
      const rank = prefixRank(e, prefixes) * 2 + (e.modrm?.exact ? 1 : 0);
      if (prefixRank(e, prefixes) > 0 && rank > bestRank) {
        best = e;
        bestRank = rank;
      }
    }
    if (best === null) return null;
    const rm = best.operands.find((o) => o.source === 'rm');
    const memory = rm !== undefined ? modrm < 0xc0 : best.operands.some((o) => o.source === 'offset');
    return this.#formIds.get(best)![(operandSize === 32 ? 2 : 0) + (memory ? 1 : 0)]!;
  }
}

function formsOf(e: Encoding): boolean[] {
  const rm = e.operands.find((o) => o.source === 'rm');
  if (e.operands.some((o) => o.source === 'offset')) return [true];
  if (rm === undefined || rm.modrm === 'register') return [false];
  return rm.modrm === 'memory' ? [true] : [false, true];
}
