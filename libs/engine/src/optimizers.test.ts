import { describe, expect, it } from 'vitest';
import { adamStep, clippingScale, stepAdam, stepSgd } from './optimizers.ts';

describe('stepSgd()', () => {
  it("follows PyTorch's rule over three steps", () => {
    // torch.optim.SGD([torch.tensor([1., -2.])], lr=0.1, momentum=0.5), gradients (1, 2), (0, -4), (1, 0).
    const values = Float32Array.of(1, -2);
    const velocities = new Float32Array(2);
    const expected = [
      [0.9, -2.2],
      [0.85, -1.9],
      [0.725, -1.75],
    ];
    const rule = { learningRate: 0.1, momentum: 0.5, weightDecay: 0, gradientScale: 1 };
    for (const [step, gradient] of [
      [1, 2],
      [0, -4],
      [1, 0],
    ].entries()) {
      stepSgd(values, velocities, Float32Array.from(gradient), rule);
      for (const index of [0, 1]) expect(values[index]).toBeCloseTo(expected[step]![index]!, 6);
    }
    expect([...velocities]).toEqual([1.25, -1.5]);
  });

  it('adds the decay to the gradient, and scales a clipped one', () => {
    const values = Float32Array.of(2);
    const velocities = new Float32Array(1);
    stepSgd(values, velocities, Float32Array.of(4), {
      ...{ learningRate: 0.5, momentum: 0, weightDecay: 0.25, gradientScale: 0.125 },
    });
    // 0.125 · 4 + 0.25 · 2 = 1
    expect([velocities[0], values[0]]).toEqual([1, 1.5]);
  });
});

describe('stepAdam()', () => {
  const step = (optimizer: 'adam' | 'adamw', weightDecay: number) => {
    const values = Float32Array.of(1);
    const moments: [Float32Array, Float32Array] = [new Float32Array(1), new Float32Array(1)];
    const settings = { optimizer, momentum: 0, weightDecay };
    for (const [index, gradient] of [0.5, -0.25].entries()) {
      const factors = adamStep(settings, index + 1, { learningRate: 0.1, gradientScale: 1 });
      stepAdam(values, moments, Float32Array.of(gradient), factors);
    }
    return values[0]!;
  };

  it("follows Kingma and Ba's rule over two steps", () => {
    // By hand: after step 1 0.9; step 2 m = 0.9·0.05 - 0.025 = 0.02, s = 0.999·0.00025 + 0.0000625.
    const second = (0.999 * 0.00025 + 0.0000625) / (1 - 0.999 ** 2);
    expect(step('adam', 0)).toBeCloseTo(0.9 - (0.1 * (0.02 / 0.19)) / Math.sqrt(second), 6);
  });

  it('decays through the gradient with adam, past it with adamw', () => {
    expect(step('adamw', 0.1)).toBeCloseTo(0.99 * (0.99 - 0.1) - (0.9 - step('adam', 0)), 6);
    expect(step('adam', 0.1)).not.toBeCloseTo(step('adamw', 0.1), 5);
  });
});

describe('clippingScale()', () => {
  const gradients = [Float32Array.of(3, 0), Float32Array.of(0, 4)];

  it('takes all gradients together to the norm, and lets smaller ones be', () => {
    expect(clippingScale(gradients, 1)).toBeCloseTo(0.2, 6);
    expect(clippingScale(gradients, 6)).toBe(1);
    expect(clippingScale(gradients, undefined)).toBe(1);
  });

  it('keeps NaN in sight', () => {
    expect(clippingScale([Float32Array.of(Number.NaN)], 1)).toBeNaN();
  });
});
