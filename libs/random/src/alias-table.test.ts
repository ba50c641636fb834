import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AliasTable } from './alias-table.ts';
import { RandomPurpose, RandomStream } from './random-stream.ts';

const streamOf = (epoch: number) =>
  new RandomStream({ runSeed: 5, epoch, ordinal: 0, purpose: RandomPurpose.weightedDraw });

function countDraws(weights: readonly number[], draws: number, epoch = 0): number[] {
  const table = new AliasTable(weights);
  const stream = streamOf(epoch);
  const counts = weights.map(() => 0);
  for (let draw = 0; draw < draws; draw++) counts[table.draw(stream)]!++;
  return counts;
}

describe('AliasTable', () => {
  it('draws each index as often as its weight says, within five standard deviations', () => {
    const weights = [5, 0, 1, 0.25, 10, 3, 0, 0.75];
    const draws = 200_000;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    countDraws(weights, draws).forEach((count, index) => {
      const share = weights[index]! / sum;
      const deviation = Math.sqrt(draws * share * (1 - share));
      expect(Math.abs(count - draws * share)).toBeLessThanOrEqual(5 * deviation);
    });
  });

  it('never draws an index of weight 0, however the table was filled', () => {
    const weight = fc.oneof(fc.constant(0), fc.double({ min: 1e-12, max: 1e12, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 1, maxLength: 40 }).filter((weights) => weights.some((w) => w > 0)),
        fc.nat(),
        (weights, epoch) => {
          countDraws(weights, 200, epoch).forEach((count, index) => {
            if (weights[index] === 0) expect(count).toBe(0);
          });
        },
      ),
    );
  });

  it('draws the same for the same stream', () => {
    const weights = [1, 2, 3];
    expect(countDraws(weights, 50, 1)).toEqual(countDraws(weights, 50, 1));
    const table = new AliasTable(weights);
    const drawsOf = (stream: RandomStream) => Array.from({ length: 50 }, () => table.draw(stream));
    expect(drawsOf(streamOf(1))).not.toEqual(drawsOf(streamOf(2)));
  });

  it('refuses weights that are none', () => {
    expect(() => new AliasTable([])).toThrow('their sum must be finite and above 0, got 0');
    expect(() => new AliasTable([0, 0])).toThrow('their sum must be finite and above 0, got 0');
    expect(() => new AliasTable([1, -1])).toThrow('weight 1 must be a finite number of at least 0, got -1');
    expect(() => new AliasTable([Number.NaN])).toThrow(
      'weight 0 must be a finite number of at least 0, got NaN',
    );
    expect(() => new AliasTable([1e308, 1e308])).toThrow('their sum must be finite');
  });
});
