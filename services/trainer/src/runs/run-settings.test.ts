import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../test/training-fixtures.ts';
import { compileRunSettings, RunSettingsError, type RunSettings } from './run-settings.ts';

const faultsOf = (changes: Partial<Record<keyof RunSettings, unknown>>): readonly string[] => {
  try {
    compileRunSettings({ ...SETTINGS, ...changes } as RunSettings);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(RunSettingsError);
    return (error as RunSettingsError).faults;
  }
};

describe('compileRunSettings()', () => {
  it('returns settings that can be trained as they are', () => {
    expect(compileRunSettings(SETTINGS)).toBe(SETTINGS);
  });

  it.each([
    ['batchSize', 0, 'batch size must be a whole number in 1..4096, got 0'],
    ['batchSize', 4097, 'batch size must be a whole number in 1..4096, got 4097'],
    ['epochs', 0, 'epochs must be a whole number in 1..1000000, got 0'],
    ['ratio', 1.5, 'ratio must be a whole number in 0..1000000, got 1.5'],
    ['epochLength', 0, 'epoch length must be a whole number in 1..10000000, got 0'],
    ['epochLength', 1_000_000_000, 'epoch length must be a whole number in 1..10000000, got 1000000000'],
    ['seed', 2 ** 32, 'seed must be a whole number in 0..4294967295, got 4294967296'],
    [
      'chunkShape',
      { depth: 15, height: 48, width: 48 },
      'each axis of chunk must be 16..128 voxels, got 15x48x48',
    ],
    [
      'chunkShape',
      { depth: 16, height: 16, width: 129 },
      'each axis of chunk must be 16..128 voxels, got 16x16x129',
    ],
    ['learningRate', 0, 'learning rate must be above 0, got 0'],
    ['learningRate', Infinity, 'learning rate must be above 0, got Infinity'],
    ['learningRate', NaN, 'learning rate must be above 0, got NaN'],
    ['momentum', 1, 'momentum must be at least 0 and below 1, got 1'],
    ['momentum', NaN, 'momentum must be at least 0 and below 1, got NaN'],
    ['threshold', 1.01, 'threshold must be in 0..1, got 1.01'],
    ['threshold', NaN, 'threshold must be in 0..1, got NaN'],
    ['split', undefined, 'split must be one of series, candidate, got an unknown value'],
    ['score', 'accuracy', 'score must be one of f1, f2, f05, recall, auc, recall-at-fpr, got accuracy'],
    ['sampler', undefined, 'sampler must be one of shuffled, weighted, got an unknown value'],
    ['validationCadence', 0, 'validation cadence must be a whole number in 1..1000000, got 0'],
    ['earlyStop', -1, 'early stop must be a whole number in 0..1000000, got -1'],
    [
      'ratioSchedule',
      'epoch <',
      "Cannot read the ratio schedule 'epoch <': column 8 must be a number, epoch, a function (min, max, floor, ceil, round) or '(', got its end",
    ],
  ] as const)('refuses %s %o', (name, value, fault) => {
    expect(faultsOf({ [name]: value })).toEqual([fault]);
  });

  it.each([
    ['batchSize', 4096],
    ['ratio', 0],
    ['epochLength', undefined],
    ['epochLength', 1],
    ['seed', 0xffff_ffff],
    ['chunkShape', { depth: 16, height: 128, width: 16 }],
    ['momentum', 0],
    ['threshold', 0],
    ['threshold', 1],
    ['comment', `a${'-'.repeat(99)}`],
  ] as const)('takes %s %o', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([]);
  });

  it.each(['', '..', '.hidden', '-dash', 'a/b', 'a b', 'ü', `a${'b'.repeat(100)}`])(
    'refuses %j as a name: it becomes a folder',
    (name) => {
      const rule = `must be 1..100 letters, digits, '.', '_' or '-', starting with a letter, digit or '_', got '${name}'`;
      expect(faultsOf({ tbPrefix: name, comment: name })).toEqual([`tb prefix ${rule}`, `comment ${rule}`]);
    },
  );

  it('asks the schedule of the ratio in every epoch of the run', () => {
    expect(faultsOf({ epochs: 3, ratioSchedule: '3 - epoch' })).toEqual([]);
    expect(faultsOf({ epochs: 4, ratioSchedule: '3 - epoch' })).toEqual([
      "Cannot read the ratio schedule '3 - epoch': it must give a whole number in 0..1000000 in epoch 4, got -1",
    ]);
    expect(faultsOf({ ratio: 2, ratioSchedule: '1,2' })).toEqual([
      'ratio must be 0 beside a ratio schedule, got 2',
    ]);
  });

  it('lets the weighted sampler balance alone', () => {
    expect(faultsOf({ sampler: 'weighted' })).toEqual([]);
    for (const [change, got] of [
      [{ ratio: 2 }, '2'],
      [{ ratioSchedule: '1,2' }, '1,2'],
    ] as const) {
      expect(faultsOf({ sampler: 'weighted', ...change })).toEqual([
        `ratio must be 0 for the weighted sampler, which balances by itself, got ${got}`,
      ]);
    }
  });

  it('says what is wrong with the augmentation', () => {
    const [fault, ...others] = faultsOf({ augmentation: { ...SETTINGS.augmentation, scale: 1 } });
    expect(fault).toContain('scale');
    expect(others).toEqual([]);
  });

  it('reports all faults at once, in one sentence', () => {
    const changes = { batchSize: 0, momentum: 2, comment: '', split: undefined };
    expect(faultsOf(changes)).toHaveLength(4);
    expect(() => compileRunSettings({ ...SETTINGS, batchSize: 0, momentum: 2 })).toThrow(
      'Cannot start a run: batch size must be a whole number in 1..4096, got 0; ' +
        'momentum must be at least 0 and below 1, got 2',
    );
  });
});
