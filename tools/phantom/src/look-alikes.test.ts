import { describe, expect, it } from 'vitest';
import { drawLookAlikes, pointSource, SpacedPoints } from './look-alikes.ts';
import { stageStream } from './random-stages.ts';
import { distance, type Vector } from './geometry/vector.ts';

const line = (count: number, y: number): Vector[] => Array.from({ length: count }, (_, x) => [5 * x, y, 0]);
const request = (count: number) => ({ count, keepOut: [], random: stageStream(1, 0, 3) });

describe('SpacedPoints', () => {
  it('refuses points nearer than the gap, also across the borders of its cells', () => {
    const taken = new SpacedPoints([], 2.5);
    expect(taken.tryAdd([7.9, 0, 0])).toBe(true);
    expect(taken.tryAdd([8.1, 0, 0])).toBe(false);
    expect(taken.tryAdd([-0.1, 0, 0])).toBe(true);
    expect(taken.tryAdd([0.1, -0.1, -0.1])).toBe(false);
    expect(taken.tryAdd([10.5, 0, 0])).toBe(true);
  });

  it('refuses points in a keep-out ball', () => {
    const taken = new SpacedPoints([{ centre: [0, 0, 0], radiusMm: 10 }], 2.5);
    expect(taken.tryAdd([0, 9.9, 0])).toBe(false);
    expect(taken.tryAdd([0, 10.1, 0])).toBe(true);
  });
});

describe('drawLookAlikes()', () => {
  it('draws the shares asked for', () => {
    const sources = [pointSource('vessel', 0.75, line(100, 0)), pointSource('pleura', 0.25, line(100, 50))];
    const kinds = drawLookAlikes(sources, request(40)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'vessel')).toHaveLength(30);
    expect(kinds.filter((kind) => kind === 'pleura')).toHaveLength(10);
  });

  it('fills up from the others when one source runs dry, to the exact count', () => {
    const sources = [pointSource('vessel', 0.5, line(100, 0)), pointSource('airway', 0.5, line(3, 50))];
    expect(drawLookAlikes(sources, request(41))).toHaveLength(41);
  });

  it('returns fewer only when all sources are empty', () => {
    expect(drawLookAlikes([pointSource('vessel', 1, line(7, 0))], request(10))).toHaveLength(7);
  });

  it('takes no point twice and keeps 2.5 mm between any two', () => {
    const crowded = [...line(50, 0), ...line(50, 1), ...line(50, 0)];
    const found = drawLookAlikes([pointSource('vessel', 1, crowded)], request(60));
    expect(found).toHaveLength(50);
    found.forEach((a, first) => {
      for (const b of found.slice(first + 1))
        expect(distance(a.centre, b.centre)).toBeGreaterThanOrEqual(2.5);
    });
  });
});
