import { describe, expect, it } from 'vitest';
import { initialiseLunaModel } from './initialise-luna-model.ts';
import { lunaParameters } from './luna-model.ts';

const SPECS = lunaParameters({ depth: 32, height: 48, width: 48 });
const indexOf = (name: string) => SPECS.findIndex((spec) => spec.name === name);

describe('initialiseLunaModel()', () => {
  const values = initialiseLunaModel(SPECS, 7);

  it.each(SPECS.filter(({ role }) => role === 'convolution').map(({ name }) => name))(
    'draws %s from N(0, 2 / fan-out)',
    (name) => {
      const index = indexOf(name);
      const drawn = values[index]!;
      const fanOut = SPECS[index]!.shape[0]! * 27;
      const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length;
      const variance = drawn.reduce((sum, value) => sum + value * value, 0) / drawn.length;
      // Five standard errors of each estimate.
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(2 / fanOut / drawn.length));
      expect(Math.abs((variance * fanOut) / 2 - 1)).toBeLessThan(5 * Math.sqrt(2 / drawn.length));
    },
  );

  it('starts all biases at zero and the normalisation as the identity', () => {
    for (const [index, { name, role }] of SPECS.entries()) {
      if (role === 'bias' || role === 'normalisation-shift') {
        expect(
          values[index]!.every((value) => value === 0),
          name,
        ).toBe(true);
      }
    }
    expect([...values[indexOf('tail_batchnorm.weight')]!]).toEqual([1]);
  });

  it('is a function of the seed', () => {
    expect(initialiseLunaModel(SPECS, 7)).toEqual(values);
    expect(initialiseLunaModel(SPECS, 8)[2]).not.toEqual(values[2]);
  });

  it('draws each parameter from a stream of its own', () => {
    // Convolutions do not depend on the chunk shape, so neither may their values.
    const small = initialiseLunaModel(lunaParameters({ depth: 16, height: 16, width: 16 }), 7);
    expect(small.slice(0, indexOf('head_linear.weight'))).toEqual(
      values.slice(0, indexOf('head_linear.weight')),
    );
  });
});
