/** An op record: one decoded instruction, 32 bytes in the engine's memory. */
export const RECORD_BYTES = 32;

/** Byte offsets of the fields. */
export const RECORD = {
  /** u16: case of the main loop: a SPECIAL, or SPECIAL_COUNT + hot form. */
  hot: 0,
  /** u8: instruction length, bytes. */
  length: 2,
  /** u8: segment register of the memory operand, or of the string source. */
  segment: 3,
  /** u16: offset of the instruction from the block's first byte. */
  offset: 4,
  /**
   * u16: slot of the ModRM reg (or +r) operand; for segment, control and debug registers the number; for x87
   * instructions the 11 opcode bits.
   */
  reg: 6,
  /** u16: slot of the ModRM r/m register operand, or of the base register; for st(i) the number. */
  rm: 8,
  /** u16: slot of the index register. */
  index: 10,
  /** u8: shift count of the index. */
  scale: 12,
  /** u8: low four opcode bits (condition); bits 4-5: repeat prefix, 0 none, 1 = F2, 2 = F3. */
  condition: 13,
  /** u16: function-table slot of the generic handler. */
  generic: 14,
  /** i32 */
  displacement: 16,
  /** i32: immediate; for near branches the target's offset from the block's first byte; STRADDLE: expected host page. */
  immediate: 20,
  /**
   * i32: second immediate or far selector; for direct branches the linked target record, 0 when not linked; for IN the
   * ticks of a round when its block is a polling loop, else 0.
   */
  immediate2: 24,
  /** u32: FFFF or FFFFFFFF. */
  addressMask: 28,
} as const;

/** Cases of the main loop that are no instruction forms. */
export const SPECIAL = {
  /** Calls the generic handler. */
  GENERIC: 0,
  /** The block goes on elsewhere: look up the next EIP. Takes no tick. */
  END: 1,
  /** The block was dropped under our feet: look up this EIP again. Takes no tick. */
  REFETCH: 2,
  /** The next instruction straddles two pages: check that the second is still the same. Takes no tick. */
  STRADDLE: 3,
  /** Head of a block: counts how often it runs; `immediate` is what is left until it is hot. Takes no tick. */
  PROFILE: 4,
  /**
   * Head of a block with compiled code: function-table slot in `generic`, entry number in `immediate2`, valid at the
   * EIP in `displacement`; `immediate` is how often it is still entered until that is worth better code. Takes no tick.
   */
  REGION: 5,
} as const;
export const SPECIAL_COUNT = 6;
