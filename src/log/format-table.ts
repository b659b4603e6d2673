import { ENTRY_KINDS, topicText, type EntryKind, type KindName } from './entries.js';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', '<br>');
}

/** The table of FORMAT.md: every kind of message, from their one declaration. */
export function formatTable(): string {
  const lines = ['| Topic | Times | Payload | Content |', '| --- | --- | --- | --- |'];
  for (const kind of Object.keys(ENTRY_KINDS) as KindName[]) {
    const { suffix, times, payload, doc } = ENTRY_KINDS[kind] as EntryKind<unknown>;
    const placeholder = kind.endsWith('-block') ? '<section>' : kind === 'block' ? '<image>' : '<kind>';
    const topic = `\`${topicText(kind, suffix === null ? '' : placeholder)}\``;
    const kinds =
      suffix === null || suffix === 'name'
        ? ''
        : `\nKinds: ${Object.entries(suffix)
            .map(([name, what]) => `\`${name}\` (${what})`)
            .join(', ')}.`;
    const content = payload.messageEncoding === 'json' ? 'JSON' : payload.schemaText;
    lines.push(`| ${topic} | ${times} | ${cell(content)} | ${cell(doc + kinds)} |`);
  }
  return lines.join('\n');
}
