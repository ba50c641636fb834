import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EstimateLines, formatDateTime } from './estimate-lines.ts';

const START = new Date(2026, 10, 23, 9, 5, 13, 250);
const later = (seconds: number) => new Date(START.getTime() + 1000 * seconds);

/** The lines of an epoch, by batch, in which every batch takes `batchSeconds`. */
function linesOf(batchCount: number, skippedBatches: number, batchSeconds = 1): [number, string][] {
  const estimate = new EstimateLines({ description: 'E1 Training', batchCount, skippedBatches });
  estimate.start(START);
  const lines: [number, string][] = [];
  for (let index = 0; index < batchCount; index++) {
    const line = estimate.afterBatch(index, later((index + 1) * batchSeconds));
    if (line !== undefined) lines.push([index, line]);
  }
  return lines;
}
const batchesOf = (batchCount: number, skippedBatches: number) =>
  linesOf(batchCount, skippedBatches).map(([index]) => index);

describe('EstimateLines', () => {
  it('opens and closes an epoch as the chapter does', () => {
    const estimate = new EstimateLines({ description: 'E1 Training', batchCount: 6250, skippedBatches: 8 });
    expect(estimate.start(START)).toBe('E1 Training ----/6250, starting');
    expect(estimate.end(later(59))).toBe('E1 Training ----/6250, done at 2026-11-23 09:06:12');
  });

  it('first prints at batch 64 of 6250 with 8 skipped (facts 1.8), then four times as far each time', () => {
    expect(batchesOf(6250, 8)).toEqual([64, 256, 1024, 4096]);
  });

  it.each([
    // The factor is the smallest power of 2 whose 7th power reaches the number of batches.
    [128, 1, [4, 8, 16, 32, 64]],
    [129, 1, [4, 16, 64]],
    [1723, 8, [64, 256, 1024]],
    [100, 2, [4, 8, 16, 32, 64]],
    [100, 3, [8, 16, 32, 64]],
    [5, 1, [4]],
    [4, 1, []],
  ])('of %i batches with %i skipped prints after batches %j', (batchCount, skipped, expected) => {
    expect(batchesOf(batchCount, skipped)).toEqual(expected);
  });

  it('estimates from the batches after the skipped ones', () => {
    // Timing starts at 09:05:14.250, after batch 0; 4 batches took 4 s, so 99 take 99 s.
    expect(linesOf(100, 1)[0]).toEqual([4, 'E1 Training    4/100, done at 2026-11-23 09:06:53, 0:01:39']);
  });

  it('estimates from the start when none is skipped', () => {
    expect(linesOf(10, 0)[0]).toEqual([4, 'E1 Training    4/10, done at 2026-11-23 09:05:23, 0:00:10']);
  });

  it('leaves slow first batches out of the estimate', () => {
    const estimate = new EstimateLines({ description: 'E1 Training', batchCount: 10, skippedBatches: 2 });
    estimate.start(START);
    const finishedAt = [100, 200, 201, 202, 203];
    const lines = finishedAt.map((seconds, index) => estimate.afterBatch(index, later(seconds)));
    expect(lines).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'E1 Training    4/10, done at 2026-11-23 09:08:41, 0:00:08',
    ]);
  });

  it.each([
    [0.01, '0:00:00'],
    [0.5, '0:00:49'],
    [40, '1:06:00'],
    [1000, '1 day, 3:30:00'],
    [9000, '10 days, 7:30:00'],
  ])('writes durations as Python does: batches of %d s take %s', (batchSeconds, duration) => {
    expect(linesOf(100, 1, batchSeconds)[0]![1].split(', ').slice(2).join(', ')).toBe(duration);
  });

  it('aligns batch numbers as Python does with {:-4}', () => {
    const lastOf = (batchCount: number) => linesOf(batchCount, 1).at(-1)![1].split(',')[0];
    expect([10, 30, 200, 5000, 20_000].map(lastOf)).toEqual([
      'E1 Training    8/10',
      'E1 Training   16/30',
      'E1 Training   64/200',
      'E1 Training 4096/5000',
      'E1 Training 16384/20000',
    ]);
  });

  it('prints a handful of lines for an epoch of any length', () => {
    const epochs = fc.record({
      batchCount: fc.integer({ min: 1, max: 30_000 }),
      skipped: fc.integer({ min: 1, max: 16 }),
    });
    fc.assert(
      fc.property(epochs, ({ batchCount, skipped }) => {
        const printed = batchesOf(batchCount, skipped);
        expect(printed.length).toBeLessThanOrEqual(6);
        for (const batch of printed) expect(batch).toBeGreaterThanOrEqual(skipped);
      }),
      { numRuns: 30 },
    );
  });
});

describe('formatDateTime()', () => {
  it('pads every field and drops the fraction', () => {
    expect(formatDateTime(new Date(2026, 0, 2, 3, 4, 5, 999))).toBe('2026-01-02 03:04:05');
  });
});
