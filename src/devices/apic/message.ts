/** Delivery modes (SDM 3A, 11.5.1 and 11.6.1; 82093AA, 3.2.4). */
export const DELIVERY = { fixed: 0, lowest: 1, smi: 2, nmi: 4, init: 5, startup: 6, extInt: 7 } as const;

/** An interrupt on its way to a processor. */
export interface ApicMessage {
  /** One of DELIVERY. */
  readonly mode: number;
  readonly vector: number;
  readonly isLevel: boolean;
  /** `destination` is matched with the logical destination register, not with the APIC's ID. */
  readonly isLogical: boolean;
  readonly destination: number;
}
