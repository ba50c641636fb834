import { expect, it } from 'vitest';
import * as metrics from './index.ts';

it('@lunastream/metrics exports these values and no others', () => {
  expect(Object.keys(metrics).sort()).toEqual([
    'BEST_SCORES',
    'InvalidMetricInputError',
    'accuracy',
    'averagePrecision',
    'countConfusion',
    'emptyDenominator',
    'epochLogLines',
    'epochStartLine',
    'epochWarnings',
    'fBeta',
    'falsePositiveRate',
    'isBetter',
    'mergeConfusion',
    'precision',
    'recall',
    'rocAuc',
    'scoreOf',
    'scoreOfRecord',
    'specificity',
    'summarizeEpoch',
    'taskStartLine',
    'toEpochRecord',
  ]);
});
