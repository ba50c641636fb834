import { FALSE_POSITIVE_RATE_LIMIT, type EpochSummary, type Split } from './epoch-summary.ts';

/**
 * One line of a run's `epochs.jsonl`. Names and order of the keys are a file format that others read: add at the end,
 * never rename. A score that is 0/0, or a loss that is not finite, is null.
 */
export interface EpochRecord {
  readonly epoch: number;
  readonly split: Split;
  /** Training samples shown up to here: the step axis that both splits share. */
  readonly samples_seen: number;
  readonly tp: number;
  readonly fp: number;
  readonly tn: number;
  readonly fn: number;
  readonly loss_all: number | null;
  readonly loss_neg: number | null;
  readonly loss_pos: number | null;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  readonly f2: number | null;
  readonly f05: number | null;
  readonly pr_auc: number | null;
  readonly roc_auc: number | null;
  readonly threshold: number;
  readonly non_finite: number;
  /** Recall where at most `fpr_limit` of the negatives are called nodules. */
  readonly recall_at_fpr: number | null;
  readonly fpr_limit: number;
}

/** The record of a summary; `JSON.stringify` of equal records gives equal bytes. */
export function toEpochRecord(summary: EpochSummary, samplesSeen: number): EpochRecord {
  const { counts } = summary;
  return {
    epoch: summary.epoch,
    split: summary.split,
    samples_seen: samplesSeen,
    tp: counts.truePositives,
    fp: counts.falsePositives,
    tn: counts.trueNegatives,
    fn: counts.falseNegatives,
    loss_all: summary.all.loss ?? null,
    loss_neg: summary.negative.loss ?? null,
    loss_pos: summary.positive.loss ?? null,
    precision: summary.precision ?? null,
    recall: summary.recall ?? null,
    f1: summary.f1 ?? null,
    f2: summary.f2 ?? null,
    f05: summary.f05 ?? null,
    pr_auc: summary.prAuc ?? null,
    roc_auc: summary.rocAuc ?? null,
    threshold: summary.threshold,
    non_finite: summary.nonFinite,
    recall_at_fpr: summary.recallAtFpr ?? null,
    fpr_limit: FALSE_POSITIVE_RATE_LIMIT,
  };
}
