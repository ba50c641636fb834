import { xyzMm } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import type { Candidate } from './candidate.ts';
import { applyLabels } from './labels.ts';

const candidate = (seriesUid: string, isNodule: boolean, isMalignant?: boolean): Candidate => ({
  ...{ seriesUid, patientId: seriesUid, centerXyzMm: xyzMm(0, 0, 0), isNodule, diameterMm: 0 },
  ...(isMalignant === undefined ? {} : { isMalignant }),
});
const ALL = [
  candidate('malignant', true, true),
  candidate('benign', true, false),
  candidate('unknown', true),
  candidate('none', false),
];
const SPLIT = { training: ALL, validation: ALL, sharedSeriesCount: 4 };
const classes = (side: readonly Candidate[]) => side.map(({ seriesUid, isNodule }) => [seriesUid, isNodule]);

describe('applyLabels()', () => {
  it('leaves nodules as they are', () => {
    expect(applyLabels(SPLIT, 'nodule')).toBe(SPLIT);
  });

  it('by malignancy trains on all whose class is known, and validates on nodules alone', () => {
    const { training, validation, sharedSeriesCount } = applyLabels(SPLIT, 'malignancy');
    expect(classes(training)).toEqual([
      ['malignant', true],
      ['benign', false],
      ['none', false],
    ]);
    expect(classes(validation)).toEqual([
      ['malignant', true],
      ['benign', false],
    ]);
    expect(sharedSeriesCount).toBe(4);
    expect(ALL[1]!.isNodule).toBe(true);
  });

  it.each(['training', 'validation'])(
    'refuses a %s side without a nodule whose malignancy is known',
    (side) => {
      const split = { ...SPLIT, [side]: ALL.slice(2) };
      expect(() => applyLabels(split, 'malignancy')).toThrow(
        `need a nodule in ${side} of which annotations_with_malignancy.csv says`,
      );
    },
  );
});
