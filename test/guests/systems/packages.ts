/** Files of Debian packages, fetched with the system's package tool into a folder that is kept between runs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A system cannot be tried here, and why. */
export class Skipped extends Error {}

export class Packages {
  constructor(readonly cache: string) {
    mkdirSync(cache, { recursive: true });
  }

  /** Folder with the contents of a package. */
  folder(name: string): string {
    const target = resolve(this.cache, `package-${name}`);
    if (existsSync(target)) return target;
    const download = resolve(this.cache, 'download');
    mkdirSync(download, { recursive: true });
    try {
      execFileSync('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', name], {
        cwd: download,
        stdio: 'pipe',
      });
      const deb = readdirSync(download).find((file) => file.startsWith(`${name.replace(/:.*/, '')}_`));
      execFileSync('dpkg-deb', ['-x', join(download, deb!), target], { stdio: 'pipe' });
    } catch {
      throw new Skipped(`the Debian package ${name} cannot be had`);
    }
    return target;
  }

  /** Path of a file in a package, by its path or by the end of it. */
  file(name: string, path: string): string {
    const found = join(this.folder(name), path);
    if (!existsSync(found)) throw new Skipped(`${name} has no ${path}`);
    return found;
  }

  /** Runs a tool of the system. */
  tool(name: string, ...words: string[]): void {
    try {
      execFileSync(name, words, { stdio: 'pipe' });
    } catch (error) {
      throw new Skipped((error as { code?: string }).code === 'ENOENT' ? `${name} is not installed` : `${name} failed`);
    }
  }
}
