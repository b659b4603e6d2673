/**
 * Debian's kernel with its drivers on an ext4 disk with DMA: writes a file, reads it back, recorded; replay without the
 * image comes to the same digests; the machine goes live again and reads it once more; and the disk exported from the
 * recording is a sound file system with that file in it.
 *
 * `npx tsx test/guests/disk.ts [--megabytes 100] [--library FILE]`; packages are fetched with apt-get into `--cache`;
 * needs mkfs.ext4, e2fsck and debugfs. Exits with 1 if something failed; what cannot be had is a reason to skip.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as Library from '../../src/index.js';
import { awaitShell, command, debianGuest, LOAD_MODULES, SERIAL_CONSOLE } from './systems/debian-guest.js';
import { Packages, Skipped } from './systems/packages.js';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '100' },
    cache: { type: 'string', default: join(tmpdir(), 'guestreel-systems') },
    library: { type: 'string' },
  },
});
const { Machine, Recording } = (
  values.library === undefined
    ? await import('../../src/index.js')
    : await import(pathToFileURL(resolve(values.library)).href)
) as typeof Library;

const MODULES = [
  'crypto/crct10dif_common.ko',
  'crypto/crct10dif_generic.ko',
  'lib/crc-t10dif.ko',
  'lib/crc64.ko',
  'crypto/crc64_rocksoft_generic.ko',
  'lib/crc64-rocksoft.ko',
  'block/t10-pi.ko',
  'drivers/scsi/scsi_common.ko',
  'drivers/scsi/scsi_mod.ko',
  'drivers/ata/libata.ko',
  'drivers/ata/ata_piix.ko',
  'drivers/scsi/sd_mod.ko',
  'crypto/crc32c_generic.ko',
  'lib/libcrc32c.ko',
  'lib/crc16.ko',
  'fs/mbcache.ko',
  'fs/jbd2/jbd2.ko',
  'fs/ext4/ext4.ko',
];
const megabytes = Number(values.megabytes);
const WRITTEN = 'written';
const DROP_CACHES = 'sync; echo 3 >/proc/sys/vm/drop_caches';

/** An empty file system in a raw image with room for the file. */
function makeImage(packages: Packages, path: string): void {
  closeSync(openSync(path, 'w'));
  truncateSync(path, (2 * megabytes + 32) * 1e6);
  packages.tool('mkfs.ext4', '-q', '-F', path);
}

/** What a drive holds at the mark, as an image of its own, looked at by the tools of the file system. */
async function checkExport(recording: Library.Recording, image: string, md5: string): Promise<void> {
  const replay = await recording.replay();
  await replay.run({ until: { mark: WRITTEN } });
  const exported = `${image}.exported`;
  const file = openSync(exported, 'w');
  for (const piece of replay.diskContents('hda', image)) writeSync(file, piece);
  closeSync(file);
  await replay.close();
  // The disk was not unmounted: the journal is played back before it is looked at.
  try {
    execFileSync('e2fsck', ['-f', '-y', exported], { stdio: 'pipe' });
  } catch (error) {
    const REPAIRED = 1;
    if ((error as { status?: number }).status !== REPAIRED) throw error;
  }
  execFileSync('e2fsck', ['-f', '-n', exported], { stdio: 'pipe' });
  execFileSync('debugfs', ['-R', `dump /file ${exported}.file`, exported], { stdio: 'pipe' });
  const found = createHash('md5')
    .update(readFileSync(`${exported}.file`))
    .digest('hex');
  if (found !== md5) throw new Error(`the exported disk has another file: ${found}, not ${md5}`);
}

async function attempt(packages: Packages): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'disk-'));
  const image = join(outDir, 'hda.img');
  try {
    makeImage(packages, image);
    const before = createHash('sha256').update(readFileSync(image)).digest('hex');
    const guest = debianGuest(packages, { modules: MODULES });
    const machine = await Machine.create({ ...guest, append: SERIAL_CONSOLE, hda: image, pacing: false, outDir });
    await machine.startRecording({ name: 'disk' });
    await awaitShell(machine);
    await command(
      machine,
      `${LOAD_MODULES}; until [ -b /dev/sda ]; do sleep 1; done; mount -t ext4 /dev/sda /mnt`,
      /rc=0=/,
    );
    await command(machine, 'cat /sys/class/ata_device/*/xfer_mode', /XFER_(U|MW_)DMA/);
    const write = `dd if=/dev/urandom bs=1M count=${megabytes} 2>/tmp/log | tee /mnt/file | md5sum; sync`;
    let md5 = '';
    const hashed = { test: (text: string): boolean => (md5 = /\n([0-9a-f]{32}) {2}-/.exec(text)?.[1] ?? '') !== '' };
    const wrote = await command(machine, write, hashed);
    await machine.mark(WRITTEN);
    const read = await command(machine, `${DROP_CACHES}; md5sum /mnt/file`, new RegExp(`${md5} `));
    const file = await machine.stopRecording();
    const ticks = machine.tick;
    await machine.close();
    if (createHash('sha256').update(readFileSync(image)).digest('hex') !== before)
      throw new Error('the image was written to');

    // A replay needs no image: it is not there.
    renameSync(image, `${image}.away`);
    const recording = await Recording.open(file);
    const verified = await recording.verify();
    if (!verified.ok) throw new Error(`diverged: ${JSON.stringify(verified.divergence)}`);
    renameSync(`${image}.away`, image);
    const replay = await recording.replay();
    await replay.run({ until: { mark: WRITTEN } });
    const live = await replay.goLive({ outDir, pacing: false, hda: image });
    await command(live, `${DROP_CACHES}; md5sum /mnt/file`, new RegExp(`${md5} `));
    await command(live, 'umount /mnt', /rc=0=/);
    await live.close();
    await checkExport(recording, image, md5);
    await recording.close();
    const size = (statSync(file).size / 1e6).toFixed(1);
    return (
      `${megabytes} MiB written and hashed in ${wrote.toFixed(1)} s, read and hashed in ${read.toFixed(1)} s, ` +
      `${Math.round(ticks / 1e6)} M ticks, recording ${size} MB, ${verified.digests} digests, export sound`
    );
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

try {
  process.stdout.write(`ok       disk       ${await attempt(new Packages(resolve(values.cache)))}\n`);
} catch (error) {
  const isSkipped = error instanceof Skipped;
  process.stdout.write(`${isSkipped ? 'skipped' : 'failed'}  disk       ${(error as Error).message}\n`);
  if (!isSkipped) process.exitCode = 1;
}
