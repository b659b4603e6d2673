import { describe, expect, it } from 'vitest';
import { AT, sameInAllSlicings } from './program.js';

describe('RDTSC', () => {
  it('reads the tick of the instruction', () => {
    const m = sameInAllSlicings({
      code: {
        [AT.code]: `
      90            nop
      0f31          rdtsc
      a300600000    mov [6000h], eax
      b964000000    mov ecx, 100
      e2fe          loop $
      0f31          rdtsc
      a304600000    mov [6004h], eax
      891508600000  mov [6008h], edx
      f4            hlt
    `,
      },
    });
    expect(m.log(3)).toEqual([1, 104, 0]);
  });

  it('is privileged with CR4.TSD set', () => {
    const code = {
      [AT.code]: `
      0f31  rdtsc
      f4    hlt
    `,
    };
    const restrict = (m: { cpu: { state: { cr4: number } } }): void => void (m.cpu.state.cr4 |= 4);
    expect(sameInAllSlicings({ code, mode: 'user', prepare: restrict }).stoppedIn).toBe(13);
    expect(sameInAllSlicings({ code, prepare: restrict }).eax).toBe(0);
  });
});
