import { ByteReader } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';

/** An address further than that behind a symbol is none of its. */
const REACH = 1 << 20;
const ELF_MAGIC = 0x464c_457f;
const SHT_SYMTAB = 2;
const [STT_NOTYPE, STT_FUNC] = [0, 2];

/** Names of guest code by linear address. */
export class Symbols {
  readonly #addresses: number[];
  readonly #names: string[];

  constructor(symbols: readonly { readonly address: number; readonly name: string }[]) {
    const sorted = [...symbols].sort((a, b) => a.address - b.address);
    this.#addresses = sorted.map((s) => s.address);
    this.#names = sorted.map((s) => s.name);
  }

  /** Text as of `nm` and System.map, or an ELF file with a symbol table. Throws CONFIG. */
  static parse(bytes: Uint8Array, where: string): Symbols {
    const isElf = bytes.length > 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === ELF_MAGIC;
    const symbols = isElf ? elfSymbols(bytes, where) : textSymbols(new TextDecoder().decode(bytes));
    if (symbols.length > 0) return new Symbols(symbols);
    throw new CodedError('CONFIG', 'there are no symbols of code', {
      where,
      hint: 'give a System.map, the output of nm, or an ELF file for i386 with a symbol table',
    });
  }

  /** The symbol that an address belongs to, or the address in hexadecimal. */
  nameOf(address: number): string {
    let [low, high] = [0, this.#addresses.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    const isKnown = low > 0 && address - this.#addresses[low - 1]! < REACH;
    return isKnown ? this.#names[low - 1]! : `0x${address.toString(16)}`;
  }
}

function textSymbols(text: string): { address: number; name: string }[] {
  return [...text.matchAll(/^([0-9a-f]{8,16}) [tTwW] (\S+)/gm)].map(([, address, name]) => ({
    address: Number(BigInt(`0x${address}`) & 0xffff_ffffn),
    name: name!,
  }));
}

function elfSymbols(bytes: Uint8Array, where: string): { address: number; name: string }[] {
  const at = (offset: number): ByteReader => {
    if (offset > bytes.length) throw new CodedError('CONFIG', 'the ELF file is cut off', { where });
    return new ByteReader(bytes.subarray(offset), where);
  };
  const symbols: { address: number; name: string }[] = [];
  try {
    if (bytes[4] !== 1 || bytes[5] !== 1) {
      throw new CodedError('CONFIG', 'the ELF file is not for a 32-bit little-endian machine', { where });
    }
    const sectionsAt = at(32).u32();
    const counts = at(46);
    const [entryBytes, count] = [counts.u16(), counts.u16()];
    const section = (index: number): number[] => {
      const header = at(sectionsAt + index * entryBytes);
      return Array.from({ length: 10 }, () => header.u32());
    };
    for (let i = 0; i < count; i++) {
      const [, type, , , offset, size, link] = section(i);
      if (type !== SHT_SYMTAB) continue;
      const names = section(link!)[4]!;
      for (let symbol = 0; symbol + 16 <= size!; symbol += 16) {
        const entry = at(offset! + symbol);
        const [name, address] = [entry.u32(), entry.u32()];
        entry.u32();
        const kind = entry.u8() & 15;
        if ((kind !== STT_FUNC && kind !== STT_NOTYPE) || address === 0 || name === 0) continue;
        const text = bytes.subarray(names + name, Math.min(bytes.length, names + name + 256));
        const end = text.indexOf(0);
        symbols.push({ address, name: new TextDecoder().decode(end < 0 ? text : text.subarray(0, end)) });
      }
    }
  } catch (cause) {
    if (cause instanceof CodedError && cause.code === 'CONFIG') throw cause;
    throw new CodedError('CONFIG', 'the ELF file is cut off', { where, cause });
  }
  return symbols;
}
