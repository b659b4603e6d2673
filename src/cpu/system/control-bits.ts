/** CR0 bits (SDM 3, 2.5). */
export const CR0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 0x10,
  NE: 0x20,
  WP: 0x1_0000,
  AM: 0x4_0000,
  NW: 0x2000_0000,
  CD: 0x4000_0000,
  PG: 0x8000_0000,
} as const;

/** CR4 bits that a CPU with these features may have. */
export const CR4 = {
  TSD: 4,
  DE: 8,
  PSE: 0x10,
  PAE: 0x20,
  MCE: 0x40,
  PGE: 0x80,
  PCE: 0x100,
  OSFXSR: 0x200,
  OSXMMEXCPT: 0x400,
} as const;

/** DR6 and pendingDebug bits (SDM 3, 17.2.3). */
export const DR6 = { BD: 0x2000, BS: 0x4000, BT: 0x8000, FIXED: 0xffff_0ff0, WRITABLE: 0xe00f } as const;
/** DR7 bits (SDM 3, 17.2.4). */
export const DR7 = { LOCAL: 0x155, GD: 0x2000, FIXED: 0x400, WRITABLE: 0xffff_23ff } as const;

/** IA32_APIC_BASE bits (SDM 3A, 11.4.4). */
export const APIC_BASE = { bootstrap: 0x100, enable: 0x800, address: 0xffff_f000 } as const;
