import type { EpochSummary } from './epoch-summary.ts';
import { accuracy, emptyDenominator } from './scores.ts';

const REPORTED_SCORES = [
  ['precision', 'precision'],
  ['recall', 'recall'],
  ['f1', 'fBeta'],
] as const;

function degenerateWarning(summary: EpochSummary): string[] {
  const { degenerate, counts } = summary;
  if (degenerate === undefined) return [];
  const call = degenerate === 'all-negative' ? 'negative' : 'positive';
  const percent = ((accuracy(counts) ?? 0) * 100).toFixed(1);
  return [`every sample was called ${call}: the model tells nothing apart, although ${percent}% are correct`];
}

/**
 * What a person should know before believing an epoch's figures, a sentence each: probabilities that are not numbers,
 * scores without a value and why, a model with one answer for everything. Empty when all is well.
 */
export function epochWarnings(summary: EpochSummary): string[] {
  const warnings: string[] = [];
  if (summary.nonFinite > 0) {
    warnings.push(
      `${summary.nonFinite} of ${summary.all.count} probabilities are not finite and are in no score: the model has diverged`,
    );
  }
  for (const [name, score] of REPORTED_SCORES) {
    const reason = emptyDenominator(score, summary.counts);
    if (reason !== undefined) warnings.push(`${name} is undefined: ${reason}`);
  }
  warnings.push(...degenerateWarning(summary));
  return warnings.map((warning) => `E${summary.epoch} ${summary.split}: ${warning}`);
}
