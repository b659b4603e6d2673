import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JsonFrames, type JsonFrame } from '../../../src/host/qmp/json-frames.js';

function framesOf(...chunks: readonly (string | Uint8Array)[]): JsonFrame[] {
  const frames = new JsonFrames();
  return chunks.flatMap((chunk) => [
    ...frames.push(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk),
  ]);
}

const text = (...texts: string[]): JsonFrame[] => texts.map((each) => ({ kind: 'text', text: each }));

it('finds objects whatever white space lies between them', () => {
  expect(framesOf('{"a":1}{"b":"}{"}\r\n\t [1,"\\"]"] ')).toEqual(text('{"a":1}', '{"b":"}{"}', '[1,"\\"]"]'));
});

it('finds the same objects wherever the stream is cut', () => {
  const message = fc.object({
    key: fc.string(),
    values: [fc.string({ unit: 'binary' }), fc.integer(), fc.constant(null)],
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (messages, size) => {
      const texts = messages.map((each) => JSON.stringify(each));
      const bytes = new TextEncoder().encode(texts.join('\n'));
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.slice(i * size, (i + 1) * size),
      );
      expect(framesOf(...chunks)).toEqual(text(...texts));
    }),
  );
});

it('drops what is no object up to the end of its line, once told of', () => {
  const frames = framesOf('GET / HTTP/1.1 {"x":1}\r\n{"a":1}\n"text"\n{"b":2}');
  expect(frames.map(({ kind }) => kind)).toEqual(['wrong', 'text', 'wrong', 'text']);
});

it('finds the message behind one whose string was left open', () => {
  expect(framesOf('{"a":"open\n{"b":1}\n').at(-1)).toEqual({ kind: 'text', text: '{"b":1}' });
});

it('refuses text that is not UTF-8', () => {
  expect(framesOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d))).toEqual([
    { kind: 'wrong', text: 'JSON parse error, not UTF-8' },
  ]);
});

it.each([
  ['a message without end', '{"a":"', 'x'.repeat(2000)],
  ['brackets without end', '', '['.repeat(2000)],
])('gives up on %s', (_, first, more) => {
  const frames = new JsonFrames();
  const push = (chunk: string): JsonFrame[] => [...frames.push(new TextEncoder().encode(chunk))];
  push(first);
  const found = Array.from({ length: 600 }, () => push(more)).flat();
  expect(found[0]).toMatchObject({ kind: 'fatal' });
});
