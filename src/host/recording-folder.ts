import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../base/errors.js';
import type { FinishedRecording } from '../harness/services.js';
import { hasBothEnds } from '../log/reel-layout.js';
import { ReelFileSource } from './reel-file-source.js';

const EXTENSION = '.reel';

/** The whole recordings that lie in `folder` itself, in no order. Links, folders and files of others do not count. */
export function finishedRecordings(folder: string): FinishedRecording[] {
  return filesIn(folder)
    .filter((file) => file.endsWith(EXTENSION) && isRecording(file))
    .flatMap((file) => {
      const changedNs = lstatSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
      // Another run that keeps the same folder small may have been quicker.
      return changedNs === undefined ? [] : [{ file, changedNs }];
    });
}

function filesIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => join(folder, name));
  } catch {
    // It can be written to, but not listed.
    return [];
  }
}

function isRecording(file: string): boolean {
  try {
    const source = new ReelFileSource(file);
    try {
      return hasBothEnds(source);
    } finally {
      source.close();
    }
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/** False when it cannot be deleted. */
export function removeRecording(file: string): boolean {
  try {
    rmSync(file);
    return true;
  } catch {
    return false;
  }
}
