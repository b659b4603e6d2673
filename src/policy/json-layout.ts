const WIDTH = 100;

function layOut(value: unknown, indent = ''): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const parts = Object.entries(value).map(
    ([key, item]) => (isList ? '' : `${JSON.stringify(key)}: `) + layOut(item, inner),
  );
  const [open, close, space] = isList ? ['[', ']', ''] : ['{', '}', ' '];
  const line = `${open}${space}${parts.join(', ')}${space}${close}`;
  const fits = !line.includes('\n') && indent.length + line.length <= WIDTH;
  // The document itself is never squeezed into one line.
  return fits && indent !== '' ? line : `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${indent}${close}`;
}

/** JSON for people: what fits on a line is on one. */
export function layOutJson(value: unknown): string {
  return `${layOut(value)}\n`;
}
