import { toEpochRecord, type EpochRecord } from './epoch-record.ts';
import type { EpochSummary } from './epoch-summary.ts';

/**
 * By which a run can choose its best checkpoint. `auc` is the area under the ROC curve, `recall-at-fpr` the recall where at
 * most FALSE_POSITIVE_RATE_LIMIT of the negatives are called nodules.
 */
export const BEST_SCORES = ['f1', 'f2', 'f05', 'recall', 'auc', 'recall-at-fpr'] as const;
export type BestScore = (typeof BEST_SCORES)[number];

const RECORD_KEYS = {
  f1: 'f1',
  f2: 'f2',
  f05: 'f05',
  recall: 'recall',
  auc: 'roc_auc',
  'recall-at-fpr': 'recall_at_fpr',
} as const satisfies Record<BestScore, keyof EpochRecord>;

/**
 * The value to choose by, of an epoch that has just ended or was read back from epochs.jsonl. Undefined where the score
 * is, and whenever a probability is not finite: such samples are in no score, and a diverged model could look good on
 * the rest.
 */
export function scoreOf(epoch: EpochSummary | EpochRecord, score: BestScore): number | undefined {
  const record = 'nonFinite' in epoch ? toEpochRecord(epoch, 0) : epoch;
  if (record.non_finite > 0) return undefined;
  return record[RECORD_KEYS[score]] ?? undefined;
}

/**
 * Whether `candidate` beats `best`; on a tie the earlier stays. An undefined score never beats anything, and any value
 * beats an undefined best (the published program lets nan become the best, facts B11).
 */
export function isBetter(candidate: number | undefined, best: number | undefined): boolean {
  if (candidate === undefined || Number.isNaN(candidate)) return false;
  return best === undefined || Number.isNaN(best) || candidate > best;
}
