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
      "MissingDatasetFileError",
      "NO_PARTNER",
      "SplitError",
      "UnknownSeriesError",
      "checkDataset",
      "createDiameterMatcher",
      "epochPlan",
      "findSeries",
      "loadDataset",
      "mixupPartners",
      "readAnnotations",
      "readCandidates",
      "readPatients",
      "sortCandidates",
      "splitCandidates",
    ]
  `);
});
