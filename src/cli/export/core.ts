import type { FollowedReplay } from '../library.js';

const ELF_HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const ET_CORE = 4;
const EM_386 = 3;
const PT_LOAD = 1;
const PT_NOTE = 4;
const READ_WRITE_EXECUTE = 7;
const NT_PRSTATUS = 1;
/** i386's struct elf_prstatus: its size, and where the registers begin. */
const PRSTATUS_BYTES = 144;
const PRSTATUS_REGISTERS = 72;
const PAGE = 4096;

/** Order of user_regs_struct on i386; the 12th is the number of a system call, which is none here. */
const REGISTERS = 'ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss'.split(' ');

function statusNote(registers: Readonly<Record<string, number>>): Buffer {
  const name = 'CORE\0\0\0\0';
  const note = Buffer.alloc(12 + name.length + PRSTATUS_BYTES);
  note.writeUInt32LE(5, 0);
  note.writeUInt32LE(PRSTATUS_BYTES, 4);
  note.writeUInt32LE(NT_PRSTATUS, 8);
  note.write(name, 12, 'latin1');
  const status = 12 + name.length;
  note.writeUInt32LE(1, status + 24);
  REGISTERS.forEach((register, i) => {
    note.writeUInt32LE((registers[register] ?? 0xffff_ffff) >>> 0, status + PRSTATUS_REGISTERS + 4 * i);
  });
  return note;
}

/** Segments begin at multiples of a page. */
const pageEnd = (offset: number): number => Math.ceil(offset / PAGE) * PAGE;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly sizeBytes: number;
}

function programHeader({ type, offset, address, sizeBytes }: Segment): Buffer {
  const header = Buffer.alloc(PROGRAM_HEADER_BYTES);
  const isLoad = type === PT_LOAD;
  const fields = [type, offset, address, address, sizeBytes, isLoad ? sizeBytes : 0, isLoad ? READ_WRITE_EXECUTE : 0];
  [...fields, isLoad ? PAGE : 4].forEach((field, i) => header.writeUInt32LE(field >>> 0, 4 * i));
  return header;
}

/**
 * An ELF core file of the machine: RAM by physical address, and the registers as those of a process, so that gdb and
 * objdump open it.
 */
export function* elfCore(
  replay: Pick<FollowedReplay, 'memoryRanges' | 'memoryContents' | 'registers'>,
): Generator<Uint8Array> {
  const ranges = replay.memoryRanges();
  const note = statusNote(replay.registers());
  const count = 1 + ranges.length;
  const noteOffset = ELF_HEADER_BYTES + count * PROGRAM_HEADER_BYTES;
  const firstOffset = pageEnd(noteOffset + note.length);
  const header = Buffer.alloc(ELF_HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  header.writeUInt16LE(ET_CORE, 16);
  header.writeUInt16LE(EM_386, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(ELF_HEADER_BYTES, 28);
  header.writeUInt16LE(ELF_HEADER_BYTES, 40);
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 42);
  header.writeUInt16LE(count, 44);
  yield header;
  yield programHeader({ type: PT_NOTE, offset: noteOffset, address: 0, sizeBytes: note.length });
  let offset = firstOffset;
  for (const { start, sizeBytes } of ranges) {
    yield programHeader({ type: PT_LOAD, offset, address: start, sizeBytes });
    offset = pageEnd(offset + sizeBytes);
  }
  yield note;
  yield new Uint8Array(firstOffset - noteOffset - note.length);
  for (const range of ranges) {
    yield* replay.memoryContents(range);
    yield new Uint8Array(pageEnd(range.sizeBytes) - range.sizeBytes);
  }
}
