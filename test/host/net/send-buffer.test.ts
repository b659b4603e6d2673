import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksum } from '../../../src/host/net/packet.js';
import { SendBuffer } from '../../../src/host/net/send-buffer.js';

describe('a send buffer', () => {
  it('reads as if its pieces were one, whatever was taken from its front', () => {
    const piece = fc.uint8Array({ minLength: 0, maxLength: 20 });
    const step = fc.oneof(piece, fc.integer({ min: 0, max: 40 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const buffer = new SendBuffer();
        let model: number[] = [];
        for (const one of steps) {
          if (typeof one === 'number') {
            buffer.drop(one);
            model = model.slice(one);
          } else {
            buffer.append(one);
            model.push(...one);
          }
          expect(buffer.length).toBe(model.length);
          for (let at = 0; at < model.length; at += 3) {
            for (const count of [1, 7, model.length - at]) {
              if (at + count <= model.length) expect([...buffer.read(at, count)]).toEqual(model.slice(at, at + count));
            }
          }
        }
        buffer.clear();
        expect(buffer.length).toBe(0);
      }),
    );
  });
});

describe('the Internet checksum', () => {
  it('is the same wherever the bytes lie', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 0x3_0000 }), (bytes, start) => {
        let sum = start;
        bytes.forEach((byte, i) => (sum += i % 2 === 0 ? byte * 256 : byte));
        while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
        const moved = new Uint8Array(bytes.length + 1);
        moved.set(bytes, 1);
        for (const placed of [bytes.slice(), moved.subarray(1)]) expect(checksum(placed, start)).toBe(~sum & 0xffff);
      }),
    );
  });
});
