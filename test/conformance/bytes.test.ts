import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/base/bytes.js';

it('text is written as UTF-8 behind its length, whatever is in it, and read back', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('\x7f', '\x80', 'é', '€', '𝄞', ''),
  );
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 8 }), (all) => {
      const out = new ByteWriter(1);
      for (const text of all) out.text(text);
      const expected = all.flatMap((text) => {
        const bytes = new TextEncoder().encode(text);
        return [...new Uint8Array(Uint32Array.of(bytes.length).buffer), ...bytes];
      });
      expect([...out.view()]).toEqual(expected);
      const input = new ByteReader(out.finish());
      expect(all.map(() => input.text())).toEqual(
        all.map((text) => new TextDecoder().decode(new TextEncoder().encode(text))),
      );
      input.end();
    }),
  );
});
