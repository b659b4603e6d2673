import type { InstructionOptions } from '../instruction.js';

/** Instructions that report a pending exception first: all but the FN forms. */
export const X87: InstructionOptions = { unit: 'x87', feature: 'FPU', fpuWait: true };
export const X87_NO_WAIT: InstructionOptions = { unit: 'x87', feature: 'FPU' };
/** FCMOVcc and FCOMI came with CMOVcc. */
export const X87_CMOV: InstructionOptions = { ...X87, feature: 'CMOV' };
