/** What the page shows, as JSON inside of it. Written by build-report.ts, read by browser/report-page.ts. */

import type { ClassWords } from './class-words.ts';

/** A line with a band: values by position in `epochs`; null where undefined. */
export interface BandSeries {
  readonly variant: string;
  readonly mean: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

export interface CurveData {
  readonly score: string;
  readonly label: string;
  readonly epochs: readonly number[];
  readonly series: readonly BandSeries[];
}

/** A candidate that the model got wrong, with its middle slice. */
export interface MistakePicture {
  readonly probability: number;
  /** Where it is, in words. */
  readonly caption: string;
  /** PNG as a data URL; empty when no data set was given. */
  readonly picture: string;
}

export interface RunData {
  readonly name: string;
  readonly variant: string;
  readonly seed: number;
  /** Losses by epoch: positions in `epochs`, null where undefined. */
  readonly epochs: readonly number[];
  readonly losses: Readonly<
    Record<'trn_pos' | 'val_pos' | 'trn_neg' | 'val_neg', readonly (number | null)[]>
  >;
  /** The epoch to keep, and whether it was overfitting that says so. */
  readonly keep:
    { readonly epoch: number; readonly isOverfitting: boolean; readonly sentence: string } | undefined;
  /** float32 little endian in base64: probabilities of the validation's positives and of the others, ascending. */
  readonly positives: string;
  readonly negatives: string;
  readonly threshold: number;
  readonly predictionsOf: string;
  readonly missed: readonly MistakePicture[];
  readonly falseAlarms: readonly MistakePicture[];
  /** Names and values for the table of settings. */
  readonly settings: readonly (readonly [string, string])[];
}

export interface ReportData {
  readonly title: string;
  readonly words: ClassWords;
  readonly curves: readonly CurveData[];
  readonly runs: readonly RunData[];
}
