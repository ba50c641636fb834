import { describe, expect, it } from 'vitest';
import { gather, kernelLayout, scatter } from './kernel-layout.ts';

const INPUTS = 2;
const OUTPUTS = 3;
const TAPS = 27;
const layout = kernelLayout(INPUTS, OUTPUTS);
const torchIndex = (output: number, input: number, [kd, kh, kw]: readonly [number, number, number]) =>
  (((output * INPUTS + input) * 3 + kd) * 3 + kh) * 3 + kw;

describe('kernelLayout()', () => {
  it('finds [out, in, kd, kh, kw] in [kd, kh, kw, in, out]', () => {
    // Element (kd 2, kh 0, kw 1, in 1, out 2).
    const element = (((2 * 3 + 0) * 3 + 1) * INPUTS + 1) * OUTPUTS + 2;
    expect(layout.forward[element]).toBe(torchIndex(2, 1, [2, 0, 1]));
  });

  it('finds the point-mirrored element in [kd, kh, kw, out, in]', () => {
    // Element (kd 2, kh 0, kw 1, out 2, in 1) is PyTorch's (2 - kd, 2 - kh, 2 - kw).
    const element = (((2 * 3 + 0) * 3 + 1) * OUTPUTS + 2) * INPUTS + 1;
    expect(layout.mirrored[element]).toBe(torchIndex(2, 1, [0, 2, 1]));
  });

  it('scatter() inverts gather()', () => {
    const kernel = Float32Array.from({ length: TAPS * INPUTS * OUTPUTS }, (_, i) => i);
    for (const order of [layout.forward, layout.mirrored]) {
      expect(scatter(gather(kernel, order), order)).toEqual(kernel);
    }
  });
});
