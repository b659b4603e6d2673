import { assembleImage, guestImages, hashOfFile, imageFolder, type GuestImage } from '../../host/guest-images.js';
import { CodedError } from '../../base/errors.js';
import type { Command, Context } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';
import { table } from '../output.js';

interface ImagesOptions {
  readonly json?: boolean;
  readonly output?: string;
}

type ImageState = 'ok' | 'changed' | 'missing';

/** One element of what `list --json` writes: schemas/cli-images.schema.json. */
interface ListedImage extends Omit<GuestImage, 'format'> {
  readonly state: ImageState;
}

function stateOf(image: GuestImage, path: string): ImageState {
  const hash = hashOfFile(path);
  return hash === null ? 'missing' : hash === image.sha256 ? 'ok' : 'changed';
}

function list({ output }: Context, options: ImagesOptions): number {
  const images = guestImages().map((image): ListedImage => {
    const { name, source, path, bytes, sha256 } = image;
    return { name, source, path, bytes, sha256, state: stateOf(image, path) };
  });
  if (options.json === true) {
    output.json(images);
  } else {
    const rows = images.map(({ name, bytes, sha256, state, path }) => [
      name,
      String(bytes),
      sha256.slice(0, 12),
      state,
      path,
    ]);
    for (const line of table([['NAME', 'BYTES', 'SHA-256', 'STATE', 'PATH'], ...rows])) output.line(line);
  }
  return exitCodeOf('OK');
}

async function build({ output, interrupt }: Context, options: ImagesOptions): Promise<number> {
  const folder = options.output ?? imageFolder();
  const changed: string[] = [];
  for (const image of guestImages()) {
    if (interrupt.received !== null) return exitCodeOf(interrupt.received);
    const file = await assembleImage(image, folder);
    const state = stateOf(image, file);
    if (state !== 'ok') changed.push(image.name);
    output.line(`${file}: ${state === 'ok' ? 'identical' : 'differs from the manifest'}`);
  }
  if (changed.length === 0) return exitCodeOf('OK');
  throw new CodedError('MISMATCH', `${changed.length} images are not those of the manifest`, {
    where: changed.join(', '),
    hint: 'either the sources or NASM differ from those that the images were built with',
  });
}

export const images: Command<ImagesOptions> = async (context, [what], options) =>
  what === 'list' ? list(context, options) : build(context, options);
