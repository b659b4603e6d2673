/** By the number that the backdoor's VERDICT carries. */
export const VERDICTS = ['pass', 'fail', 'skip'] as const;
