/** Three significant digits, and no exponent. */
export function number(value: number | null): string {
  if (value === null) return '';
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return value.toFixed(0);
  return value.toFixed(magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3);
}

export function times(value: number | null): string {
  return value === null ? '' : value.toFixed(2);
}

/** A Markdown table; the first column is text, the others are figures. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (i < textColumns ? '---' : '--:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
