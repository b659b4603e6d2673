import { CodedError } from '../base/errors.js';
import { MISSING_QEMU_OPTIONS, verbNamed, type VerbDeclaration } from './declarations.js';

/** Verbs at which QEMU's options are expected. */
const MACHINE_VERBS = ['run', 'replay'];

function missing(token: string, option: string): CodedError {
  return new CodedError('USAGE', `${token} is an option of QEMU that guestreel does not have`, {
    hint: MISSING_QEMU_OPTIONS[option],
  });
}

/** True when the word after `token` is its argument. */
function takesNext(verb: VerbDeclaration, token: string): boolean {
  if (token.includes('=')) return false;
  const option = verb.options.find(({ name, short }) => token === `--${name}` || token === `-${short ?? name}`);
  return option?.argument !== undefined;
}

/**
 * Rewrites QEMU's notation, in which long options have a single dash, to that of GNU. Arguments of options stay as they
 * are, and so does everything behind `--`. Throws USAGE for an option that QEMU has and guestreel lacks.
 */
export function normaliseArgv(argv: readonly string[]): string[] {
  const verb = verbNamed(argv.find((word) => !word.startsWith('-')) ?? '');
  if (verb === undefined) return [...argv];
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return [...words, ...argv.slice(i)];
    const match = /^--?([A-Za-z][A-Za-z0-9-]*)(=.*)?$/s.exec(word);
    const [, name, value = ''] = match ?? [];
    const declared = name !== undefined && verb.options.some((option) => option.name === name);
    const token = declared ? `--${name}${value}` : word;
    if (
      !declared &&
      name !== undefined &&
      MACHINE_VERBS.includes(verb.name) &&
      Object.hasOwn(MISSING_QEMU_OPTIONS, name)
    ) {
      throw missing(word, name);
    }
    words.push(token);
    if (takesNext(verb, token) && i + 1 < argv.length) words.push(argv[++i]!);
  }
  return words;
}
