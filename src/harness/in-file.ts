import { CodedError } from '../base/errors.js';

/** `error` with the file it is about in its place, so that it can be told alone. */
export function inFile(file: string, error: unknown): unknown {
  if (!(error instanceof CodedError) || error.where?.includes(file) === true) return error;
  const where = error.where === undefined ? file : `${file}: ${error.where}`;
  return new CodedError(error.code, error.message, { where, hint: error.hint, cause: error });
}
