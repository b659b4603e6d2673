import { closeSync, lstatSync, mkdirSync, openSync, realpathSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, isAbsolute } from 'node:path';
import { CodedError } from '../base/errors.js';

/** The one folder that somebody who is not trusted with paths may have files written into. */
export class OutputFolder {
  #files = 0;

  constructor(readonly path: string) {}

  /**
   * Makes or replaces a file whose path, relative to the folder or whole, leads into it. A file is replaced as a name:
   * what a link there leads to stays as it is. Throws USAGE for a path that leads out, HOST_IO.
   */
  replace(path: string, contents: Uint8Array): void {
    const file = this.#resolve(path);
    const partial = `${file}.${process.pid}-${++this.#files}.partial`;
    try {
      // Exclusive: nothing that lies there is written to.
      const descriptor = openSync(partial, 'wx');
      try {
        for (let at = 0; at < contents.length;) at += writeSync(descriptor, contents, at);
      } catch (error) {
        unlinkSync(partial);
        throw error;
      } finally {
        closeSync(descriptor);
      }
      renameSync(partial, file);
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the file cannot be written', { where: file, cause });
    }
  }

  #resolve(path: string): string {
    const refused = (why: string): CodedError =>
      new CodedError('USAGE', `the file ${why}`, { where: path, hint: `files are written into ${this.path} only` });
    if (path === '' || path.includes('\0')) throw refused('has no name');
    let folder: string;
    let root: string;
    try {
      mkdirSync(this.path, { recursive: true });
      root = realpathSync(this.path);
      folder = realpathSync(dirname(resolve(this.path, path)));
    } catch (cause) {
      throw new CodedError('HOST_IO', 'there is no such folder', { where: path, cause });
    }
    const way = relative(root, folder);
    if (way === '..' || way.startsWith('../') || way.startsWith('..\\') || isAbsolute(way)) {
      throw refused('lies outside the output folder');
    }
    const name = basename(path);
    if (name === '' || name === '.' || name === '..') throw refused('has no name');
    const file = join(folder, name);
    const present = lstatSync(file, { throwIfNoEntry: false });
    if (present !== undefined && !present.isFile()) throw refused('is a link, a folder or a device');
    return file;
  }
}
