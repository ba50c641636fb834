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
      "LABELS",
      "LARGEST_RATIO",
      "MALIGNANCY_TABLE",
      "MissingDatasetFileError",
      "NO_PARTNER",
      "RatioScheduleError",
      "SAMPLERS",
      "SplitError",
      "UnknownSeriesError",
      "applyLabels",
      "checkDataset",
      "compileRatioSchedule",
      "createAnnotationMatcher",
      "createDiameterMatcher",
      "describeProblems",
      "epochPlan",
      "findSeries",
      "formatPredictions",
      "loadDataset",
      "mixupPartners",
      "readAnnotations",
      "readCandidates",
      "readMalignancy",
      "readPatients",
      "readPoints",
      "readPredictions",
      "sortCandidates",
      "splitCandidates",
    ]
  `);
});
