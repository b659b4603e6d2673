/** What a terminal sent, as keys of a PC. */
export type TypedKey =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'key'; readonly name: string };

/** Escape sequences of xterm and the Linux console, without the leading ESC. */
const SEQUENCES: Readonly<Record<string, string>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  '[H': 'home',
  '[F': 'end',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[2~': 'insert',
  '[3~': 'delete',
  '[4~': 'end',
  '[5~': 'pgup',
  '[6~': 'pgdn',
  OP: 'f1',
  OQ: 'f2',
  OR: 'f3',
  OS: 'f4',
  '[[A': 'f1',
  '[[B': 'f2',
  '[[C': 'f3',
  '[[D': 'f4',
  '[[E': 'f5',
  '[15~': 'f5',
  '[17~': 'f6',
  '[18~': 'f7',
  '[19~': 'f8',
  '[20~': 'f9',
  '[21~': 'f10',
  '[23~': 'f11',
  '[24~': 'f12',
};

const ESC = '\u001b';

/** An escape sequence at the start of a text. */
// eslint-disable-next-line no-control-regex
const SEQUENCE = /^\u001b(O[A-Z]|\[\[[A-E]|\[[0-9;]*[~A-Za-z])/;

/**
 * Keys for one read of a terminal: an escape sequence always arrives in one piece, so a lone ESC is the key. ESC and a
 * character is Alt with it. What no key of the US layout types is dropped.
 */
export function keysOf(bytes: Uint8Array): TypedKey[] {
  const keys: TypedKey[] = [];
  let rest = new TextDecoder().decode(bytes);
  let text = '';
  const flush = (): void => {
    if (text !== '') keys.push({ kind: 'text', text });
    text = '';
  };
  const press = (name: string): void => {
    flush();
    keys.push({ kind: 'key', name });
  };
  while (rest !== '') {
    const sequence = SEQUENCE.exec(rest);
    if (sequence !== null) {
      const name = SEQUENCES[sequence[1]!];
      if (name !== undefined) press(name);
      rest = rest.slice(sequence[0].length);
    } else if (rest[0] === ESC && /^[a-z0-9]/.test(rest.slice(1))) {
      press(`alt-${rest[1]}`);
      rest = rest.slice(2);
    } else {
      const code = rest.charCodeAt(0);
      const isTypable = (code >= 1 && code <= 26) || code === 0x1b || (code >= 0x20 && code <= 0x7f);
      if (isTypable) text += rest[0];
      rest = rest.slice(1);
    }
  }
  flush();
  return keys;
}
