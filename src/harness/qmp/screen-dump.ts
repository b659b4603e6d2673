import { PICTURE_FORMATS, type PictureFormat } from '../picture.js';
import type { QmpArguments } from './commands.js';
import { QmpError } from './qmp-error.js';

/** Where clients may have files written; nothing can be written elsewhere. Throws CodedError. */
export interface QmpFolder {
  replace(path: string, contents: Uint8Array): void;
}

/** Endings are what keeps a client from replacing recordings and audit logs. */
export function screenDump(
  { filename, format }: QmpArguments<'screendump'>,
  folder: QmpFolder,
  screen: { screenshot(format: PictureFormat): Uint8Array },
): void {
  const ending = PICTURE_FORMATS.find((known) => filename.toLowerCase().endsWith(`.${known}`));
  if (ending === undefined) throw new QmpError(`The name '${filename}' does not end in .png or .ppm`);
  const wanted = format === undefined ? ending : PICTURE_FORMATS.find((known) => known === format);
  if (wanted === undefined) throw new QmpError("Parameter 'format' does not accept value; png or ppm");
  folder.replace(filename, screen.screenshot(wanted));
}
