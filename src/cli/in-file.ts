import { CodedError } from '../base/errors.js';

/** The error with the file's name in it; what is found while reading knows only an offset. */
export function inFile(file: string, error: unknown): unknown {
  if (!(error instanceof CodedError) || !['DAMAGED', 'VERSION', 'MISMATCH'].includes(error.code)) return error;
  const hint = error.hint?.replace('FILE', file);
  if (error.where?.includes(file)) {
    return new CodedError(error.code, error.message, { where: error.where, hint, cause: error });
  }
  const where = error.where === undefined ? file : `${file}: ${error.where}`;
  return new CodedError(error.code, error.message, { where, hint, cause: error });
}
