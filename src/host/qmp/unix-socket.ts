import { lstatSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { CodedError } from '../../base/errors.js';

/** A program that listens answers at once. */
const ANSWER_MS = 1000;

/** Makes room for a socket: removes one that nobody listens at any more. Throws HOST_IO for anything else that is there. */
export async function clearSocketPath(path: string): Promise<void> {
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present === undefined) return;
  if (!present.isSocket()) {
    throw new CodedError('HOST_IO', 'the file exists and is no socket', { where: path, hint: 'choose another name' });
  }
  if (await isAnswered(path)) {
    throw new CodedError('HOST_IO', 'another program listens at this socket', {
      where: path,
      hint: 'choose another name',
    });
  }
  unlinkSync(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const answer = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => answer(true));
    // Only a refusal says that nobody is there; a program that is busy must not lose its socket.
    socket.once('error', (error: Error & { code?: string }) => answer(error.code !== 'ECONNREFUSED'));
    socket.setTimeout(ANSWER_MS, () => answer(true));
  });
}
