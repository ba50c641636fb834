import { describe, expect, it } from 'vitest';
import { stepMomentumSgd } from './momentum-sgd.ts';

describe('stepMomentumSgd()', () => {
  it("follows PyTorch's rule over three steps", () => {
    // torch.optim.SGD([torch.tensor([1., -2.])], lr=0.1, momentum=0.5), gradients (1, 2), (0, -4), (1, 0).
    const values = Float32Array.of(1, -2);
    const velocities = new Float32Array(2);
    const expected = [
      [0.9, -2.2],
      [0.85, -1.9],
      [0.725, -1.75],
    ];
    for (const [step, gradient] of [
      [1, 2],
      [0, -4],
      [1, 0],
    ].entries()) {
      stepMomentumSgd(values, velocities, Float32Array.from(gradient), { learningRate: 0.1, momentum: 0.5 });
      for (const index of [0, 1]) expect(values[index]).toBeCloseTo(expected[step]![index]!, 6);
    }
    expect([...velocities]).toEqual([1.25, -1.5]);
  });
});
