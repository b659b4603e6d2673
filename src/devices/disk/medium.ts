import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { bool, safe, text, u32, writeState, readState, type StateSchema } from '../../core/state.js';

/** Shape of a medium as INT 13h and old controllers address it. */
export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** What is in a drive. */
export interface Medium extends Geometry {
  /** Lower-case hex SHA-256 of the base image, of all files where it consists of several. */
  readonly sha256: string;
  /** Bytes of the image; what lies behind them on the medium reads as zeros. */
  readonly imageBytes: number;
  /** Sectors of 512 bytes; 0: there is no medium. */
  readonly sectorCount: number;
  readonly readOnly: boolean;
}

export type MediumState = { -readonly [K in keyof Medium]: Medium[K] };

export const MEDIUM_SCHEMA: StateSchema<MediumState> = {
  sha256: text,
  imageBytes: safe,
  sectorCount: safe,
  readOnly: bool,
  cylinders: u32,
  heads: u32,
  sectorsPerTrack: u32,
};

export const NO_MEDIUM: Medium = {
  sha256: '',
  imageBytes: 0,
  sectorCount: 0,
  readOnly: false,
  cylinders: 0,
  heads: 0,
  sectorsPerTrack: 0,
};

/** Payload of the input `media`: the drive's index in MachineConfig.drives, then the medium; null takes it out. */
export function encodeMediaChange(drive: number, medium: Medium | null): Uint8Array {
  const out = new ByteWriter().u8(drive);
  if (medium !== null) writeState(out, MEDIUM_SCHEMA, { ...medium });
  return out.finish();
}

/** Throws DAMAGED for what no program of ours has written. */
export function decodeMediaChange(payload: Uint8Array): { drive: number; medium: Medium } {
  const input = new ByteReader(payload, 'input media');
  const drive = input.u8();
  const medium: MediumState = { ...NO_MEDIUM };
  if (input.remaining > 0) readState(input, MEDIUM_SCHEMA, medium);
  input.end();
  return { drive, medium };
}
