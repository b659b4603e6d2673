/** Real systems that nobody here wrote, and how each is known to have come up. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Machine, MachineOptions } from '../../../src/index.js';
import { Skipped, type Packages } from './packages.js';

export interface System {
  readonly name: string;
  /** Where it comes from. */
  readonly source: string;
  readonly options: (packages: Packages) => MachineOptions;
  /** Guest seconds that it may take. */
  readonly seconds: number;
  /** True once it has come up. */
  readonly isUp: (machine: Machine) => boolean;
  /** What is typed while it comes up, by the text that asks for it. */
  readonly keys?: readonly { readonly at: RegExp; readonly text: string }[];
}

const screen =
  (pattern: RegExp) =>
  (machine: Machine): boolean =>
    pattern.test(machine.screenText());
const serial =
  (pattern: RegExp) =>
  (machine: Machine): boolean =>
    pattern.test(machine.serialText);

function seaBios(packages: Packages): string {
  return packages.file('seabios', 'usr/share/seabios/bios-256k.bin');
}

const FLOPPY_BYTES = 1_474_560;

/** A diskette with GRUB Legacy's two stages and nothing else: its prompt needs no file system. */
function grubLegacyFloppy(packages: Packages): string {
  const folder = packages.folder('grub-legacy');
  const platform = ['x86_64-pc', 'i386-pc'].find((name) => existsSync(join(folder, 'usr/lib/grub', name, 'stage1')));
  if (platform === undefined) throw new Skipped('grub-legacy has no stage1');
  const image = join(packages.cache, 'grub-legacy.img');
  const file = openSync(image, 'w');
  writeSync(file, new Uint8Array(FLOPPY_BYTES));
  writeSync(file, readFileSync(join(folder, 'usr/lib/grub', platform, 'stage1')), 0, 512, 0);
  writeSync(file, readFileSync(join(folder, 'usr/lib/grub', platform, 'stage2')), 0, undefined, 512);
  closeSync(file);
  return image;
}

/** A CD as grub-mkrescue makes it, with a menu and our multiboot test kernel. */
function grubCd(packages: Packages): string {
  const image = join(packages.cache, 'grub.iso');
  const tree = join(packages.cache, 'grub-cd');
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  copyFileSync(new URL('../../../guest-images/built/multiboot.bin', import.meta.url), join(tree, 'boot/multiboot.bin'));
  writeFileSync(
    join(tree, 'boot/grub/grub.cfg'),
    'set timeout=-1\nmenuentry "multiboot kernel" {\n multiboot /boot/multiboot.bin from GRUB\n boot\n}\n',
  );
  packages.tool('grub-mkrescue', '-o', image, tree);
  return image;
}

/** A CD with ISOLINUX, a kernel and an initial RAM disk. */
function isolinuxCd(packages: Packages, { kernel, initrd }: { kernel: string; initrd: string }): string {
  const image = join(packages.cache, 'isolinux.iso');
  const tree = join(packages.cache, 'isolinux-cd');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  copyFileSync(packages.file('isolinux', 'usr/lib/ISOLINUX/isolinux.bin'), join(tree, 'isolinux.bin'));
  copyFileSync(
    packages.file('syslinux-common', 'usr/lib/syslinux/modules/bios/ldlinux.c32'),
    join(tree, 'ldlinux.c32'),
  );
  copyFileSync(kernel, join(tree, 'linux'));
  copyFileSync(initrd, join(tree, 'initrd'));
  writeFileSync(
    join(tree, 'isolinux.cfg'),
    'default linux\nprompt 0\nlabel linux\n kernel linux\n append initrd=initrd console=ttyS0 console=tty0\n',
  );
  const boot = ['-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'];
  packages.tool('xorriso', '-as', 'mkisofs', '-o', image, ...boot, tree);
  return image;
}

/** The menu waits for its key. */
const GRUB_KEYS = [{ at: /GNU GRUB[^]*multiboot kernel/, text: '\n' }];

function installer(packages: Packages): { kernel: string; initrd: string } {
  const folder = 'usr/lib/debian-installer/images/12/i386/text/debian-installer/i386';
  const name = 'debian-installer-12-netboot-i386';
  return { kernel: packages.file(name, `${folder}/linux`), initrd: packages.file(name, `${folder}/initrd.gz`) };
}

/** What `dir` says of FreeDOS's copied COMMAND.COM. */
const COPIED = /NEW +COM +66/i;

/** An empty screen is a smaller file. */
function hasColours(machine: Machine): boolean {
  return machine.screenshot().length > 1200;
}
type Pixel = readonly [red: number, green: number, blue: number];
/** Of the text console's 16 colours: before and behind the installer's dialogues. */
const BLUE: Pixel = [0, 0, 170];
const GREY: Pixel = [170, 170, 170];

/** The share of the screen that has that colour. */
function shareOf([red, green, blue]: Pixel, ppm: Buffer): number {
  // P6, width and height, 255: three lines.
  let at = 0;
  for (let line = 0; line < 3; line++) at = ppm.indexOf('\n', at) + 1;
  const pixels = (ppm.length - at) / 3;
  let found = 0;
  for (; at < ppm.length; at += 3) {
    if (ppm[at] === red && ppm[at + 1] === green && ppm[at + 2] === blue) found++;
  }
  return found / pixels;
}
/** The installer's first question, a dialogue on a blue screen that the kernel draws in graphics. */
function isDialogue(machine: Machine): boolean {
  if (machine.screenText() !== '') return false;
  const ppm = Buffer.from(machine.screenshot('ppm'));
  return shareOf(BLUE, ppm) > 0.02 && shareOf(GREY, ppm) > 0.2;
}

const ipxe = (model: string): System => ({
  name: `iPXE over ${model}`,
  source: 'Debian package ipxe',
  // It polls the clock; slow ticks make its seconds short.
  options: (packages) => ({ kernel: packages.file('ipxe', 'boot/ipxe.lkrn'), network: [{ model }], nsPerTick: 32 }),
  seconds: 60,
  isUp: screen(/net0: 10\.0\.2\.15\/255\.255\.255\.0 gw 10\.0\.2\.2/),
});

export const SYSTEMS: readonly System[] = [
  {
    name: 'SeaBIOS',
    source: 'Debian package seabios',
    options: (packages) => ({ bios: seaBios(packages) }),
    seconds: 20,
    isUp: screen(/No bootable device/),
  },
  {
    name: 'Memtest86+',
    source: 'Debian package memtest86+',
    options: (packages) => ({ kernel: packages.file('memtest86+', 'boot/memtest86+ia32.bin'), memory: '8M' }),
    seconds: 2000,
    isUp: screen(/Pass: +[1-9]\d* +Errors: 0/),
  },
  {
    name: 'Memtest86+ from CD under SeaBIOS',
    source: 'Debian packages memtest86+, seabios',
    options: (packages) => ({
      bios: seaBios(packages),
      cdrom: packages.file('memtest86+', 'usr/lib/memtest86+/memtest86+ia32.iso'),
    }),
    seconds: 30,
    isUp: screen(/Memtest86\+ v6/),
  },
  {
    name: 'Memtest86+ from CD',
    source: 'Debian package memtest86+',
    options: (packages) => ({ cdrom: packages.file('memtest86+', 'usr/lib/memtest86+/memtest86+ia32.iso') }),
    seconds: 30,
    isUp: screen(/Memtest86\+ v6/),
  },
  {
    name: 'GRUB Legacy from diskette',
    source: 'Debian package grub-legacy',
    options: (packages) => ({ fda: grubLegacyFloppy(packages) }),
    seconds: 20,
    isUp: screen(/grub> *$/m),
  },
  {
    name: 'GRUB Legacy from diskette under SeaBIOS',
    source: 'Debian packages grub-legacy, seabios',
    options: (packages) => ({ bios: seaBios(packages), fda: grubLegacyFloppy(packages) }),
    seconds: 20,
    isUp: screen(/grub> *$/m),
  },
  {
    name: 'GRUB 2 from CD',
    source: 'grub-mkrescue (Debian package grub-pc-bin)',
    options: (packages) => ({ cdrom: grubCd(packages) }),
    seconds: 60,
    keys: GRUB_KEYS,
    isUp: serial(/./),
  },
  {
    name: 'GRUB 2 from CD under SeaBIOS',
    source: 'grub-mkrescue (Debian package grub-pc-bin), seabios',
    options: (packages) => ({ bios: seaBios(packages), cdrom: grubCd(packages) }),
    seconds: 60,
    keys: GRUB_KEYS,
    isUp: serial(/./),
  },
  {
    name: 'Linux from CD by ISOLINUX',
    source: 'Debian packages isolinux, debian-installer-12-netboot-i386',
    options: (packages) => ({ cdrom: isolinuxCd(packages, installer(packages)), memory: '512M' }),
    seconds: 200,
    isUp: serial(/Run \/init as init process/),
  },
  {
    name: 'Linux from CD by ISOLINUX under SeaBIOS',
    source: 'Debian packages isolinux, debian-installer-12-netboot-i386, seabios',
    options: (packages) => ({
      bios: seaBios(packages),
      cdrom: isolinuxCd(packages, installer(packages)),
      memory: '512M',
    }),
    seconds: 200,
    isUp: serial(/Run \/init as init process/),
  },
  ipxe('e1000'),
  ipxe('ne2k_pci'),
  {
    name: 'Debian installer on the screen',
    source: 'Debian package debian-installer-12-netboot-i386',
    options: (packages) => ({ ...installer(packages), append: 'console=tty0', memory: '512M' }),
    seconds: 200,
    isUp: isDialogue,
  },
  {
    name: 'Debian installer on the serial line',
    source: 'Debian package debian-installer-12-netboot-i386',
    options: (packages) => ({ ...installer(packages), append: 'console=ttyS0', memory: '512M' }),
    seconds: 200,
    isUp: serial(/Select a language/),
  },
];

/** Boot-sector programs in a folder, `*.img`, on both firmwares: up when they have painted something. */
export function bootSectors(folder: string): System[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.img'));
  const program = (file: string, hasSeaBios: boolean): System => ({
    name: `boot sector ${file}${hasSeaBios ? ' under SeaBIOS' : ''}`,
    source: file,
    // They were written for the clock of older PCs.
    options: (packages) => ({ ...firmware(packages, hasSeaBios), fda: join(folder, file), nsPerTick: 32 }),
    seconds: 10,
    isUp: (machine) => machine.tick >= 100_000_000 && (machine.screenText().trim() !== '' || hasColours(machine)),
  });
  return files.sort().flatMap((file) => [program(file, false), program(file, true)]);
}

function firmware(packages: Packages, hasSeaBios: boolean): MachineOptions {
  return hasSeaBios ? { bios: seaBios(packages) } : {};
}

export interface DosDiskette {
  readonly image: string;
  /** A program, *.COM, for video mode 13h; it is put on the diskette. */
  readonly game?: string;
  readonly hasSeaBios: boolean;
}

function withGame(packages: Packages, { image, game }: DosDiskette): string {
  if (game === undefined) return image;
  const copy = join(packages.cache, 'freedos-game.img');
  copyFileSync(image, copy);
  packages.tool('mcopy', '-o', '-i', copy, game, '::GAME.COM');
  return copy;
}

/** A FreeDOS diskette that comes to its prompt, where `dir` and a copy are typed, and then the game. */
export function freeDos(diskette: DosDiskette): System {
  const { game, hasSeaBios } = diskette;
  return {
    name: `FreeDOS from diskette${hasSeaBios ? ' under SeaBIOS' : ''}`,
    source: diskette.image,
    options: (packages) => ({ ...firmware(packages, hasSeaBios), fda: withGame(packages, diskette) }),
    seconds: 60,
    keys: [
      { at: /^A:\\> *$/m, text: 'dir\n' },
      { at: /file\(s\)[^]*A:\\> *$/m, text: 'copy command.com new.com\n' },
      { at: /1 file\(s\) copied|copied[^]*A:\\> *$|new\.com[^]*A:\\> *$/im, text: 'dir new.com\n' },
      ...(game === undefined ? [] : [{ at: COPIED, text: 'game\n' }]),
    ],
    isUp: game === undefined ? screen(COPIED) : (machine) => machine.screenText() === '' && hasColours(machine),
  };
}
