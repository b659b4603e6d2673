import { CodedError } from '../../base/errors.js';

/** What a client is told: QEMU's two classes of errors. */
export class QmpError extends Error {
  override readonly name = 'QmpError';

  constructor(
    message: string,
    readonly errorClass: 'GenericError' | 'CommandNotFound' = 'GenericError',
  ) {
    super(message);
  }
}

/** Any error as a client is told of it. */
export function qmpErrorOf(error: unknown): QmpError {
  if (error instanceof QmpError) return error;
  if (error instanceof CodedError) return new QmpError(`${error.code}: ${error.describe()}`);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new QmpError(`${text}: this is a bug in guestreel`);
}
