import { formatShape, type Irc, type Shape, type XyzMm } from '@lunastream/volume';
import { BadCsvError, DuplicateSeriesError, MissingDatasetFileError, type DatasetError } from './errors.ts';
import type { BadSeries, SeriesEntry } from './survey-dataset.ts';

/**
 * `error`: a file is broken or contradicts another and someone should repair it. `warning`: nothing is broken, but it is
 * good to know (a part that was not downloaded, a scan thinner than a chunk, a leak of the split by candidate).
 */
export type ProblemSeverity = 'error' | 'warning';

interface ProblemBase {
  readonly severity: ProblemSeverity;
  /** One sentence that says what, where and why. */
  readonly message: string;
}

/** A finding of `checkDataset`. Narrow by `kind`. */
export type DatasetProblem = ProblemBase &
  (
    | { readonly kind: 'missing-file'; readonly path: string }
    | {
        readonly kind: 'csv-fault';
        readonly path: string;
        readonly line: number;
        readonly field: string | undefined;
      }
    | { readonly kind: 'more-csv-faults'; readonly path: string; readonly count: number }
    | {
        readonly kind: 'duplicate-series';
        readonly seriesUid: string;
        readonly paths: readonly [string, string];
      }
    | { readonly kind: 'bad-header'; readonly seriesUid: string; readonly path: string }
    /** The header is right; its data file is missing, truncated or too long. */
    | { readonly kind: 'bad-data'; readonly seriesUid: string; readonly path: string }
    | { readonly kind: 'missing-scan'; readonly seriesUid: string; readonly candidateCount: number }
    | {
        readonly kind: 'outside-scan';
        /** candidates.csv. */
        readonly path: string;
        readonly line: number;
        readonly seriesUid: string;
        readonly centerXyzMm: XyzMm;
        readonly centerIrc: Irc;
        readonly shape: Shape;
      }
    | {
        readonly kind: 'thin-scan';
        readonly seriesUid: string;
        readonly path: string;
        readonly shape: Shape;
        readonly chunkShape: Shape;
      }
    | { readonly kind: 'shared-series'; readonly seriesCount: number }
    | { readonly kind: 'no-candidates' }
  );

/** A fault of a table, a missing file or a doubled scan, as a problem. */
export function problemOfError(error: DatasetError): DatasetProblem {
  const base = { severity: 'error', message: error.message } as const;
  if (error instanceof BadCsvError) {
    return { ...base, kind: 'csv-fault', path: error.path, line: error.line, field: error.field };
  }
  if (error instanceof MissingDatasetFileError) return { ...base, kind: 'missing-file', path: error.path };
  if (error instanceof DuplicateSeriesError) {
    return { ...base, kind: 'duplicate-series', seriesUid: error.seriesUid, paths: error.paths };
  }
  throw error;
}

export function badSeriesProblem(
  { seriesUid, path, reason }: BadSeries,
  isHeaderBad: boolean,
): DatasetProblem {
  return {
    severity: 'error',
    kind: isHeaderBad ? 'bad-header' : 'bad-data',
    message: `Series ${seriesUid} cannot be used. ${reason.message}`,
    seriesUid,
    path,
  };
}

export function missingScanProblem(seriesUid: string, candidateCount: number): DatasetProblem {
  return {
    severity: 'warning',
    kind: 'missing-scan',
    message: `Series ${seriesUid} has ${candidateCount} candidates and no scan`,
    seriesUid,
    candidateCount,
  };
}

/** Where a candidate lies that is outside its scan. */
export interface OutsidePlace {
  readonly path: string;
  readonly line: number;
  readonly seriesUid: string;
  readonly centerXyzMm: XyzMm;
  readonly centerIrc: Irc;
  readonly shape: Shape;
}

export function outsideScanProblem(place: OutsidePlace): DatasetProblem {
  const { path, line, seriesUid, centerXyzMm, centerIrc, shape } = place;
  return {
    severity: 'error',
    kind: 'outside-scan',
    message:
      `${path}:${line}: the centre (${centerXyzMm.join(', ')}) mm is voxel [${centerIrc.join(', ')}] of series ` +
      `${seriesUid}, outside its ${formatShape(shape)} voxels`,
    ...place,
  };
}

export function thinScanProblem(
  { seriesUid, path, geometry }: SeriesEntry,
  chunkShape: Shape,
): DatasetProblem {
  const { shape } = geometry;
  return {
    severity: 'warning',
    kind: 'thin-scan',
    message:
      `Series ${seriesUid} has ${formatShape(shape)} voxels, less than a chunk of ${formatShape(chunkShape)}: ` +
      'its chunks are padded with air',
    seriesUid,
    path,
    shape,
    chunkShape,
  };
}

export function sharedSeriesProblem(seriesCount: number): DatasetProblem {
  return {
    severity: 'warning',
    kind: 'shared-series',
    message:
      `A split by candidate puts ${seriesCount} series on both sides: validation then asks about scans that were ` +
      'trained on; split by series',
    seriesCount,
  };
}

export function noCandidatesProblem(dir: string): DatasetProblem {
  return {
    severity: 'error',
    kind: 'no-candidates',
    message: `${dir} has no candidate that can be trained on`,
  };
}

export function moreCsvFaultsProblem(path: string, count: number): DatasetProblem {
  return {
    severity: 'error',
    kind: 'more-csv-faults',
    message: `${path} has ${count} more faults like these`,
    path,
    count,
  };
}
