/** Who has to act: `bad-input` the person who made the file or request, `missing-data` the person who lays out the data. */
export type DatasetErrorKind = 'bad-input' | 'missing-data';

/** Base of every error this library throws on purpose. Narrow by `tag`, or by `kind` where only that matters. */
export abstract class DatasetError extends Error {
  abstract readonly tag: string;
  abstract readonly kind: DatasetErrorKind;
}

/** A place in a table. */
export interface CsvPlace {
  readonly path: string;
  /** From 1; the header is line 1. */
  readonly line: number;
  /** Column name, where one field is at fault. */
  readonly field?: string;
}

/** A table holds a value, row or header that breaks its rule. Correct that line. */
export class BadCsvError extends DatasetError {
  readonly tag = 'BadCsvError';
  readonly kind = 'bad-input';
  readonly path: string;
  readonly line: number;
  readonly field: string | undefined;

  /** `rule` completes "Cannot read PATH:LINE: [field NAME ]", as in `must be a number, got "x"`. */
  constructor(rule: string, place: CsvPlace, cause?: unknown) {
    const field = place.field === undefined ? '' : `field ${place.field} `;
    super(`Cannot read ${place.path}:${place.line}: ${field}${rule}`, { cause });
    this.path = place.path;
    this.line = place.line;
    this.field = place.field;
  }
}

/** The dataset's folder, or a file that every dataset has, is not there or cannot be read. */
export class MissingDatasetFileError extends DatasetError {
  readonly tag = 'MissingDatasetFileError';
  readonly kind = 'missing-data';
  readonly path: string;

  constructor(path: string, rule: string, cause?: unknown) {
    super(`Cannot read ${path}: ${rule}`, { cause });
    this.path = path;
  }
}

/** Two files claim to be the same scan. Remove one. */
export class DuplicateSeriesError extends DatasetError {
  readonly tag = 'DuplicateSeriesError';
  readonly kind = 'bad-input';
  readonly seriesUid: string;
  readonly paths: readonly [string, string];

  constructor(seriesUid: string, paths: readonly [string, string]) {
    super(`Cannot use series ${seriesUid}: it must be one file, got ${paths[0]} and ${paths[1]}`);
    this.seriesUid = seriesUid;
    this.paths = paths;
  }
}

/** The one series that was asked for is not among the usable scans. */
export class UnknownSeriesError extends DatasetError {
  readonly tag = 'UnknownSeriesError';
  readonly kind = 'missing-data';
  readonly seriesUid: string;

  /** `reason` says what is wrong with the scan, where there is one. */
  constructor(seriesUid: string, dir: string, reason?: Error) {
    const found = reason === undefined ? 'no such scan' : `a bad one. ${reason.message}`;
    super(`Cannot use series ${seriesUid}: it must be a usable scan of ${dir}, got ${found}`, {
      cause: reason,
    });
    this.seriesUid = seriesUid;
  }
}

/** Candidates cannot be split into a training and a validation side as asked. */
export class SplitError extends DatasetError {
  readonly tag = 'SplitError';
  readonly kind = 'bad-input';

  /** `rule` completes "Cannot split candidates: ". */
  constructor(rule: string) {
    super(`Cannot split candidates: ${rule}`);
  }
}

/** An epoch cannot be planned with these candidates or settings. */
export class EpochPlanError extends DatasetError {
  readonly tag = 'EpochPlanError';
  readonly kind = 'bad-input';
  readonly field: 'candidates' | 'ratio' | 'sampler' | 'epochLength';

  /** `rule` completes "Cannot plan an epoch: FIELD ". */
  constructor(field: EpochPlanError['field'], rule: string) {
    super(`Cannot plan an epoch: ${field} ${rule}`);
    this.field = field;
  }
}

/** The text of a ratio schedule cannot be read, or gives no ratio. */
export class RatioScheduleError extends DatasetError {
  readonly tag = 'RatioScheduleError';
  readonly kind = 'bad-input';
  readonly text: string;

  /** `rule` and `got` complete "Cannot read the ratio schedule 'TEXT': RULE, got GOT". */
  constructor(text: string, rule: string, got: string) {
    super(`Cannot read the ratio schedule '${text}': ${rule}, got ${got}`);
    this.text = text;
  }
}

/** Receives a fault that was met while reading. Throwing it stops the reading; returning skips what is at fault. */
export type OnDatasetError = (error: DatasetError) => void;

/** The `OnDatasetError` of callers that accept no fault. */
export function throwDatasetError(error: DatasetError): never {
  throw error;
}
