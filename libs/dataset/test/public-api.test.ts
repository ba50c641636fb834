import { expect, it } from 'vitest';
import * as dataset from '../src/index.ts';

it('exports these names and no others', () => {
  expect(Object.keys(dataset).sort()).toMatchInlineSnapshot(`
    [
      "BadCsvError",
      "DEFAULT_BALANCED_EPOCH_LENGTH",
      "DEFAULT_VALIDATION_STRIDE",
      "DatasetError",
      "DuplicateSeriesError",
      "EpochPlanError",
      "LARGEST_RATIO",
      "MissingDatasetFileError",
      "NO_PARTNER",
      "RatioScheduleError",
      "SAMPLERS",
      "SplitError",
      "UnknownSeriesError",
      "checkDataset",
      "compileRatioSchedule",
      "createDiameterMatcher",
      "describeProblems",
      "epochPlan",
      "findSeries",
      "formatPredictions",
      "loadDataset",
      "mixupPartners",
      "readAnnotations",
      "readCandidates",
      "readPatients",
      "readPoints",
      "readPredictions",
      "sortCandidates",
      "splitCandidates",
    ]
  `);
});
