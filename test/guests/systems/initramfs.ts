/** An initial RAM disk as Linux unpacks it: a cpio archive of format newc (Documentation/driver-api/early-userspace). */

export interface ArchivedFile {
  readonly path: string;
  /** Contents; a folder has none, a link its target. */
  readonly bytes?: Uint8Array;
  readonly kind: 'file' | 'folder' | 'link' | 'console';
}

const MODE = { file: 0o100755, folder: 0o040755, link: 0o120777, console: 0o020600 } as const;
/** Character device 5:1. */
const CONSOLE = { major: 5, minor: 1 };

function entry(inode: number, { path, bytes = new Uint8Array(0), kind }: ArchivedFile): Buffer {
  const device = kind === 'console' ? CONSOLE : { major: 0, minor: 0 };
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, MODE[kind], 0, 0, 1, 0, bytes.length, 0, 0, device.major, device.minor, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  const pad = (length: number): Buffer => Buffer.alloc(-length & 3);
  return Buffer.concat([Buffer.from(head), name, pad(head.length + name.length), bytes, pad(bytes.length)]);
}

/** Folders come before what they contain. */
export function cpioArchive(files: readonly ArchivedFile[]): Uint8Array {
  return Buffer.concat([...files, { path: 'TRAILER!!!', kind: 'file' } as const].map((file, n) => entry(n + 1, file)));
}
