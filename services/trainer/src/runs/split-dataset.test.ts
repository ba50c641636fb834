import { describe, expect, it } from 'vitest';
import { CANDIDATES, DATASET } from '../../test/training-fixtures.ts';
import { UnusableDatasetError } from '../errors.ts';
import { describeLeftOut, splitDataset } from './split-dataset.ts';

const RULE = {
  split: 'series',
  ratio: 1,
  ratioSchedule: undefined,
  sampler: 'shuffled',
  epochs: 9,
  seed: 7,
  labels: 'nodule',
} as const;
const LEFT_OUT = {
  leftOut: { missingScan: 1, outsideScan: 38, badScan: 2 },
  problems: [
    'Series 1.2.9 cannot be used: Cannot read /data/subset0/1.2.9.mhd:7: ElementSpacing must be set',
    '/data/candidates.csv:2: the centre lies outside scan 1.2.3',
  ],
};

describe('splitDataset()', () => {
  it('splits before it labels, so that malignancy validates on the patients that nodules do', () => {
    const candidates = CANDIDATES.map((each, position) =>
      each.isNodule ? { ...each, isMalignant: position === 0 } : each,
    );
    const dataset = { ...DATASET, candidates };
    const rule = { ...RULE, split: 'candidate' } as const;
    const byMalignancy = { ...rule, labels: 'malignancy' } as const;
    const uids = (side: readonly { seriesUid: string }[]) => side.map(({ seriesUid }) => seriesUid);
    const plain = splitDataset(dataset, rule);
    const labelled = splitDataset(dataset, { ...byMalignancy, ratio: 0 });
    expect(uids(labelled.training)).toEqual(uids(plain.training));
    expect(uids(labelled.validation)).toEqual(uids(plain.validation.filter(({ isNodule }) => isNodule)));
    expect(() => splitDataset(DATASET, byMalignancy)).toThrow(UnusableDatasetError);
    expect(() => splitDataset(DATASET, byMalignancy)).toThrow('annotations_with_malignancy.csv');
  });

  it('keeps a patient on one side when it splits by series', () => {
    const { training, validation, sharedSeriesCount } = splitDataset(DATASET, RULE);
    const patients = new Set(validation.map(({ patientId }) => patientId));
    expect(validation.length).toBeGreaterThan(0);
    expect(training.some(({ patientId }) => patients.has(patientId))).toBe(false);
    expect(training.length + validation.length).toBe(CANDIDATES.length);
    expect(sharedSeriesCount).toBe(0);
  });

  it('validates on every tenth candidate when it splits by candidate', () => {
    const { validation, sharedSeriesCount } = splitDataset(DATASET, { ...RULE, split: 'candidate' });
    expect(validation).toEqual([CANDIDATES[0], CANDIDATES[10]]);
    expect(sharedSeriesCount).toBe(2);
  });

  it('refuses a data set of which every candidate was left out, and says why the first one was', () => {
    const split = () => splitDataset({ ...DATASET, ...LEFT_OUT, candidates: [] }, RULE);
    expect(split).toThrow(UnusableDatasetError);
    expect(split).toThrow(
      'Cannot split candidates: training and validation need 2 candidates or more, got 0; ' +
        'left out 1 candidates of absent scans, 38 outside their scan, 2 of damaged scans; ' +
        'Series 1.2.9 cannot be used: Cannot read /data/subset0/1.2.9.mhd:7: ElementSpacing must be set',
    );
  });

  it('names the file and line of a candidate outside its scan', () => {
    const dataset = { ...DATASET, ...LEFT_OUT, problems: LEFT_OUT.problems.slice(1), candidates: [] };
    expect(() => splitDataset(dataset, RULE)).toThrow(
      '; /data/candidates.csv:2: the centre lies outside scan 1.2.3',
    );
  });

  it('refuses to balance a class that is empty, but trains on it unbalanced', () => {
    const dataset = { ...DATASET, candidates: CANDIDATES.filter(({ isNodule }) => !isNodule) };
    expect(() => splitDataset(dataset, RULE)).toThrow(
      'Cannot plan an epoch: candidates must hold both classes to be balanced, got no positive (class 1) one',
    );
    expect(splitDataset(dataset, { ...RULE, ratio: 0 }).training.length).toBeGreaterThan(0);
    const missing = 'got no positive (class 1) one';
    expect(() => splitDataset(dataset, { ...RULE, ratio: 0, sampler: 'weighted' })).toThrow(missing);
    // Told at the start, not in the fifth epoch.
    const late = { ...RULE, ratio: 0, ratioSchedule: 'epoch < 5 ? 0 : 1' };
    expect(() => splitDataset(dataset, late)).toThrow(missing);
    expect(splitDataset(dataset, { ...late, epochs: 4 }).training.length).toBeGreaterThan(0);
  });

  it('says nothing of left-out candidates where there are none', () => {
    const dataset = { ...DATASET, candidates: CANDIDATES.slice(0, 1) };
    expect(() => splitDataset(dataset, RULE)).toThrow(
      /^Cannot split candidates: training and validation need 2 candidates or more, got 1$/,
    );
  });
});

describe('describeLeftOut()', () => {
  it('counts by reason, and is undefined when nothing was left out', () => {
    expect(describeLeftOut({ ...DATASET, ...LEFT_OUT })).toBe(
      '1 candidates of absent scans, 38 outside their scan, 2 of damaged scans',
    );
    expect(describeLeftOut(DATASET)).toBeUndefined();
  });
});
