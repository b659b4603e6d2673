/** Options of the drives as commander gives them. */
export interface DriveVerbOptions {
  readonly fda?: string;
  readonly fdb?: string;
  readonly hda?: string;
  readonly hdb?: string;
  readonly hdc?: string;
  readonly hdd?: string;
  readonly cdrom?: string;
}

export const DRIVE_OPTION_NAMES = ['fda', 'fdb', 'hda', 'hdb', 'hdc', 'hdd', 'cdrom'] as const;

/** Those that were given. */
export function driveOptions(options: DriveVerbOptions): DriveVerbOptions {
  const given: { -readonly [K in keyof DriveVerbOptions]: DriveVerbOptions[K] } = {};
  for (const name of DRIVE_OPTION_NAMES) if (options[name] !== undefined) given[name] = options[name];
  return given;
}
