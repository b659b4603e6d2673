/**
 * An exception the guest caused. Thrown by memory accesses and system routines, caught by whoever runs the instruction.
 * Not an Error: faults are everyday events and need no stack trace.
 */
export class GuestFault {
  constructor(
    readonly vector: number,
    /** null when the exception has none. */
    readonly errorCode: number | null,
    /** #PF: the linear address. */
    readonly cr2?: number,
  ) {}
}
