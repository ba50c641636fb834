import { readGolden } from '@lunastream/testing';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodeGrayPng } from './gray-png.ts';
import { fillHistogram } from './histogram.ts';
import { prCurveCounts } from './pr-curve.ts';
import { EXPONENTIAL_EDGES, grayImage, histogram, linearEdges, prCurve } from './summary-values.ts';

interface GoldenTensorboard {
  readonly count: number;
  readonly pr: { readonly shape: number[]; readonly values: number[] };
  readonly histograms: Record<'is_neg' | 'is_pos', { readonly counts: number[]; readonly count: number }>;
}

// What PyTorch's SummaryWriter and numpy make of the same scores: tools/golden/reference/make_tensorboard_golden.py.
const golden = readGolden<GoldenTensorboard>('tensorboard');

/** `scores` of make_tensorboard_golden.py. */
function goldenScores(): { labels: number[]; probabilities: Float32Array } {
  let state = 1;
  const edges = [0, 1, 0.01, 0.99, 0.5];
  const labels: number[] = [];
  const probabilities = Float32Array.from({ length: golden.count }, (_, index) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    labels.push(Number(index % 5 === 0));
    return index % 13 === 0 ? edges[Math.floor(index / 13) % 5]! : state / 2 ** 32;
  });
  return { labels, probabilities };
}

describe('prCurve()', () => {
  it('holds what PyTorch’s add_pr_curve holds', () => {
    const rows = prCurveCounts(goldenScores(), 127);
    expect([rows.length, rows[0]!.length]).toEqual(golden.pr.shape);
    const values = rows.flatMap((row) => [...row]);
    for (const [index, value] of values.entries()) expect(value).toBeCloseTo(golden.pr.values[index]!, 6);
  });

  it('shows no precision where nothing is positive, and counts no NaN', () => {
    const rows = prCurveCounts({ labels: [0, 0, 1], probabilities: [0.2, Number.NaN, Number.NaN] }, 3);
    expect(rows.map((row) => row[0])).toEqual([0, 1, 0, 0, 0, 0]);
    expect(rows.every((row) => row.every(Number.isFinite))).toBe(true);
    expect(prCurve('pr', { labels: [], probabilities: [] })).toBeInstanceOf(Uint8Array);
  });
});

describe('histogram()', () => {
  it.each([
    ['is_neg', (label: number, p: number) => label === 0 && p > 0.01],
    ['is_pos', (label: number, p: number) => label === 1 && p < 0.99],
  ] as const)('of the chapter’s %s counts as numpy does', (name, keeps) => {
    const { labels, probabilities } = goldenScores();
    const values = probabilities.filter((p, index) => keeps(labels[index]!, p));
    const { counts, limits } = fillHistogram(values, linearEdges(0, 1, 50));
    expect(limits).toHaveLength(51);
    expect(values.length).toBe(golden.histograms[name].count);
    expect([...counts]).toEqual([0, ...golden.histograms[name].counts]);
  });

  it('of weights covers every size, and cuts off empty ends', () => {
    const values = [-1e-20, 0, 3e-9, 0.5, 0.5, -2e15];
    const { counts, limits, min, max, sum } = fillHistogram(values, EXPONENTIAL_EDGES);
    expect([min, max]).toEqual([-2e15, 0.5]);
    expect(sum).toBe(-2e15 + 1);
    expect(counts.reduce((total, count) => total + count, 0)).toBe(values.length);
    expect(counts[0]).toBe(0);
    expect([counts[1], counts.at(-1)]).toEqual([1, 2]);
    for (const [index, limit] of limits.entries())
      if (index > 0) expect(limit).toBeGreaterThan(limits[index - 1]!);
  });

  it('is nothing for no values, and refuses what it cannot count', () => {
    expect(histogram('x', [], EXPONENTIAL_EDGES)).toBeUndefined();
    for (const value of [Number.NaN, Infinity]) {
      expect(() => histogram('x', [0, value], EXPONENTIAL_EDGES)).toThrow(/Cannot count value 1.*got/);
    }
    expect(() => histogram('x', [1.5], linearEdges(0, 1, 50))).toThrow(
      'Cannot count value 0: it must be in 0..1, got 1.5',
    );
  });
});

describe('grayImage()', () => {
  it('is a PNG that holds the pixels', () => {
    const png = encodeGrayPng({ width: 3, height: 2, pixels: Uint8Array.of(0, 128, 255, 1, 2, 3) });
    const view = new DataView(png.buffer);
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([3, 2]);
    const dataLength = view.getUint32(33);
    const rows = inflateSync(png.subarray(41, 41 + dataLength));
    expect([...rows]).toEqual([0, 0, 128, 255, 0, 1, 2, 3]);
  });

  it('refuses pixels that do not fill it', () => {
    expect(() => grayImage('x', { width: 2, height: 2, pixels: new Uint8Array(3) })).toThrow(
      'Cannot encode a picture: it must have 2 x 2 pixels, at least one, got 3',
    );
  });
});
