import { utf8Encode } from '../base/platform.js';
import { frameOf } from '../devices/vga/frame.js';
import type { Pc } from '../machine/pc.js';
import type { HostServices } from './services.js';

/** Files that the screen can be had as. */
export const PICTURE_FORMATS = ['png', 'ppm'] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** The screen as a file. */
export function pictureOf(pc: Pc, services: HostServices, format: PictureFormat): Uint8Array {
  const { width, height, rgba } = frameOf(pc.vga);
  return format === 'png' ? services.encodePng(width, height, rgba) : encodePpm(width, height, rgba);
}

/** Netpbm's binary pixmap. */
function encodePpm(width: number, height: number, rgba: Uint8Array): Uint8Array {
  const head = utf8Encode(`P6\n${width} ${height}\n255\n`);
  const file = new Uint8Array(head.length + width * height * 3);
  file.set(head);
  for (let pixel = 0, to = head.length; pixel < width * height; pixel++) {
    for (let part = 0; part < 3; part++) file[to++] = rgba[pixel * 4 + part]!;
  }
  return file;
}
