/** The form cannot be compiled in place: its generic handler must be called. */
export class NotCompilable extends Error {}
