import { describe, expect, it } from 'vitest';
import { EPOCH_PROBABILITIES, exampleRecords } from '../test/example-runs.ts';
import { bestValidation, compareVariants, scoreOverSeeds } from './compare-variants.ts';
import { meanScoreChoices, scoreChoices } from './score-choices.ts';

const run = (variant: string, seed: number, epochs = exampleRecords()) => ({
  variant,
  seed,
  score: 'f1' as const,
  epochs,
});

describe('compareVariants()', () => {
  it('has a row per variant: last and best validation, over its seeds', () => {
    const shorter = exampleRecords().filter(({ epoch }) => epoch < 3);
    const [first, second, ...others] = compareVariants([
      run('balanced', 1),
      run('all', 1),
      run('balanced', 2, shorter),
    ]);
    expect(others).toEqual([]);
    expect([first!.variant, first!.runs, first!.bestEpochs]).toEqual(['balanced', 2, [2, 2]]);
    // The last epochs of the two find 2 and 3 of 4 nodules.
    expect(first!.last.recall).toMatchObject({ mean: 0.625, count: 2 });
    expect(first!.last.recall!.interval!.high).toBeGreaterThan(1);
    expect(first!.best.recall).toEqual({ mean: 0.75, count: 2, interval: { low: 0.75, high: 0.75 } });
    expect([second!.variant, second!.runs]).toEqual(['all', 1]);
  });

  it('gives a single run Wilson’s interval over its candidates, where the score is a share of them', () => {
    const [row] = compareVariants([run('balanced', 1)]);
    expect(row!.last.recall!.interval).toEqual({
      low: expect.closeTo(0.15, 2) as number,
      high: expect.closeTo(0.85, 2) as number,
    });
    expect(row!.last.f1!.interval).toBeUndefined();
  });

  it('leaves out runs without a validation, and says undefined where a score is', () => {
    const silent = exampleRecords().filter(({ split }) => split === 'trn');
    const undefinedPrecision = exampleRecords().map((record) => ({ ...record, precision: null }));
    const [row, empty] = compareVariants([
      run('a', 1, undefinedPrecision),
      run('a', 2, silent),
      run('b', 1, silent),
    ]);
    expect(row).toMatchObject({ runs: 1, last: { precision: undefined } });
    expect(empty).toMatchObject({ variant: 'b', runs: 0, bestEpochs: [], last: { recall: undefined } });
  });
});

describe('scoreOverSeeds()', () => {
  it('gives no interval where only one of several seeds has the score', () => {
    const [first, second] = exampleRecords().filter(({ split }) => split === 'val');
    const mean = scoreOverSeeds([{ ...first!, precision: null }, second], 'precision');
    expect(mean).toEqual({ mean: second!.precision, count: 1, interval: undefined });
  });
});

describe('scoreChoices()', () => {
  it('tells which epoch each score chooses, and what that misses', () => {
    const choices = new Map(
      scoreChoices({ epochs: exampleRecords() }).map((choice) => [choice.score, choice]),
    );
    expect(choices.get('recall')).toMatchObject({ epoch: 2, missedNodules: 1, falsePositives: 1 });
    expect(choices.get('f05')).toMatchObject({ epoch: 3, missedNodules: 2, falsePositives: 0 });
    expect(choices.get('loss_pos')).toMatchObject({ epoch: 2 });
    expect(bestValidation(exampleRecords(), 'f2')?.epoch).toBe(choices.get('f2')!.epoch);
  });

  it('is averaged over runs in which the score was defined', () => {
    const never = exampleRecords().map((record) => ({ ...record, f1: null }));
    const mean = meanScoreChoices([run('a', 1), run('a', 2, never)]);
    expect(mean.find(({ score }) => score === 'f1')).toMatchObject({ epochs: [2], missedNodules: 1 });
    expect(mean.find(({ score }) => score === 'recall')).toMatchObject({ epochs: [2, 2], missedNodules: 1 });
    expect(EPOCH_PROBABILITIES.length).toBe(3);
  });
});
