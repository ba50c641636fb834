import { describe, expect, it } from 'vitest';
import { Command } from 'commander';
import { addTrainOptions, type TrainOptions } from '../train-options.ts';
import { parseTrainFlags, planSeries } from './plan-series.ts';
import { SERIES_NAMES, variantsOf } from './series.ts';
import { continueSeries } from './series-record.ts';

const BASE = addTrainOptions(new Command('train')).opts<TrainOptions>();
const AXES = [
  { flag: 'batch-size', values: ['16', '32'] },
  { flag: 'augmented', values: ['on'] },
];
const planOf = (changes: Partial<Parameters<typeof planSeries>[0]> = {}) =>
  planSeries({
    name: 'series',
    variants: variantsOf('chapter', { epochs: 20 }, []),
    base: BASE,
    seeds: 1,
    dataset: 'default',
    ...changes,
  });

describe('variantsOf()', () => {
  it.each(SERIES_NAMES)('%s has variants that train takes, each of a name of its own', (name) => {
    const variants = variantsOf(name, { epochs: 6 }, AXES);
    expect(variants.length).toBeGreaterThan(0);
    const runs = planOf({ variants }).runs;
    expect(new Set(runs.map(({ settings }) => settings['comment'])).size).toBe(variants.length);
    // What sets them apart decides something.
    expect(new Set(runs.map(({ settings }) => JSON.stringify({ ...settings, comment: '' }))).size).toBe(
      variants.length,
    );
  });

  it('chapter is the chapter’s: 1 epoch unbalanced, 20 balanced, 10 with each transform, 20 with all', () => {
    const runs = planOf().runs.map(({ variant, settings }) => [
      variant,
      settings['epochs'],
      settings['ratio'],
    ]);
    expect(runs).toEqual([
      ['unbalanced', 1, 0],
      ['balanced', 20, 1],
      ...['flip', 'offset', 'scale', 'rotate', 'noise'].map((name) => [name, 10, 1]),
      ['all', 20, 1],
    ]);
    expect(planOf().runs.at(-1)!.settings['augmentation']).toMatchObject({ flip: true, noiseHu: 25 });
  });

  it('grid is every combination of the values', () => {
    expect(variantsOf('grid', { epochs: 1 }, [...AXES, { flag: 'lr', values: ['0.1', '0.01'] }])).toEqual(
      ['16', '32'].flatMap((size) =>
        ['0.1', '0.01'].map((rate) => ({
          name: `batch-size-${size}_augmented-on_lr-${rate}`,
          flags: ['--batch-size', size, '--augmented', '--lr', rate],
        })),
      ),
    );
    expect(() => variantsOf('grid', { epochs: 1 }, [])).toThrow('Cannot make a grid: set at least one flag');
  });
});

describe('planSeries()', () => {
  it('does all variants of the first seed before the next, named by variant and seed', () => {
    const { runs } = planOf({ seeds: 2, base: { ...BASE, seed: 7 } });
    expect(runs.map(({ seed }) => seed)).toEqual([...Array<number>(8).fill(7), ...Array<number>(8).fill(8)]);
    expect(runs[9]!.settings).toMatchObject({ tbPrefix: 'series', comment: 'balanced-seed8', seed: 8 });
    expect(runs[9]!.settings).not.toHaveProperty('threads');
  });

  it('lets a variant’s flags win over those of the command line, and refuses what train would', () => {
    const plan = (flags: string[]) =>
      planOf({ base: { ...BASE, lr: 0.5, epochs: 9 }, variants: [{ name: 'a', flags }] });
    expect(plan(['--epochs', '2']).runs[0]!.settings).toMatchObject({ epochs: 2, learningRate: 0.5 });
    expect(() => plan(['--epochs', 'many'])).toThrow(
      "Cannot plan variant a: option '--epochs <count>' argument 'many' is invalid",
    );
    expect(() => plan(['--epoch', '2'])).toThrow("Cannot plan variant a: unknown option '--epoch'");
    expect(() => planOf({ variants: [1, 2].map(() => ({ name: 'a', flags: [] })) })).toThrow(
      'variant a is there twice',
    );
    expect(() => plan(['--weights', 'x'])).toThrow('--weights and --new-head must be the same for all runs');
    const initialWeights = { sha256: 'ab', newHead: true };
    expect(planOf({ initialWeights }).runs.at(-1)!.settings).toMatchObject({ initialWeights });
    expect(parseTrainFlags(['--balanced'], 'x')).toEqual({ balanced: true });
    expect(parseTrainFlags(['--tensorboard-sample', '3'], 'x')).toEqual({
      tensorboard: true,
      tensorboardSample: 3,
    });
  });
});

describe('continueSeries()', () => {
  const done = () => {
    const record = planOf();
    Object.assign(record.runs[0]!, { runId: 'series/a', state: 'finished' });
    Object.assign(record.runs[1]!, { runId: 'series/b', state: 'running' });
    Object.assign(record.runs[2]!, { runId: 'series/c', state: 'failed', message: 'it broke' });
    return record;
  };

  it('keeps what has finished, takes up what was begun, and tries what failed again', () => {
    const { runs } = continueSeries(planOf(), done());
    expect(runs.slice(0, 4).map(({ runId, state }) => [runId, state])).toEqual([
      ['series/a', 'finished'],
      ['series/b', 'waiting'],
      ['series/c', 'waiting'],
      ['', 'waiting'],
    ]);
  });

  it('adds seeds, and keeps the results of those that are not asked for now', () => {
    const { runs } = continueSeries(planOf({ base: { ...BASE, seed: 5 } }), done());
    expect(runs.length).toBe(16);
    expect(runs[8]).toMatchObject({ seed: 1, runId: 'series/a', state: 'finished' });
  });

  it('refuses to average seeds of other settings with these', () => {
    expect(() => continueSeries(planOf({ base: { ...BASE, seed: 5, lr: 0.5 } }), done())).toThrow(
      'unbalanced, seed 1 must have the settings of before, got another learningRate',
    );
  });

  it('refuses to mix results of other data with these', () => {
    const on = (datasetFingerprint: string) => ({ ...planOf(), datasetFingerprint });
    expect(continueSeries(on('f00d'), on('f00d')).datasetFingerprint).toBe('f00d');
    expect(() => continueSeries(on('f00d'), on('beef'))).toThrow(
      'Cannot go on with this series: it must have the data set of before (fingerprint beef), got f00d; give the series a --name',
    );
    expect(() => continueSeries(on('f00d'), done())).toThrow('(fingerprint not known), got f00d');
  });

  it('refuses to mix results of other settings with these', () => {
    expect(() => continueSeries(planOf({ base: { ...BASE, lr: 0.5 } }), done())).toThrow(
      'Cannot go on with this series: unbalanced, seed 1 must have the settings of before, got another learningRate; ' +
        'give the series a --name of its own',
    );
  });
});
