/**
 * The log lines of chapter 12, to the character (facts 1.8 and 1.9), so that its figures and ours can be laid side by
 * side. One difference is meant: F1 comes from counts, so it prints 0.0000 where the published program has nan because
 * nothing was found (TP = 0, but mistakes were made).
 */
import type { ClassSummary, EpochSummary } from './epoch-summary.ts';
import { fixedDigits } from './fixed-digits.ts';

const NAME_WIDTH = 8;
const PERCENT_WIDTH = 5;

/** What the epoch is about to do. */
export interface EpochStart {
  readonly epoch: number;
  readonly epochs: number;
  readonly trainingBatches: number;
  readonly validationBatches: number;
  /** Samples per batch and device. */
  readonly batchSize: number;
  readonly devices: number;
}

/** `Epoch 1 of 10, 6250/1723 batches of size 32*1` */
export function epochStartLine(start: EpochStart): string {
  const { epoch, epochs, trainingBatches, validationBatches, batchSize, devices } = start;
  return `Epoch ${epoch} of ${epochs}, ${trainingBatches}/${validationBatches} batches of size ${batchSize}*${devices}`;
}

/** `E1 LunaTrainingApp`, which comes before the lines of each split. */
export function taskStartLine(epoch: number): string {
  return `E${epoch} LunaTrainingApp`;
}

function percentCorrect({ correct, count }: ClassSummary): string {
  const percent = count === 0 ? undefined : (correct / count) * 100;
  return fixedDigits(percent, 1).padStart(PERCENT_WIDTH);
}

/** What a log calls the two classes. */
export interface ClassNames {
  readonly negative: string;
  readonly positive: string;
}

const NODULE_CLASSES: ClassNames = { negative: 'neg', positive: 'pos' };

function classLine(summary: EpochSummary, suffix: string, ofClass: ClassSummary): string {
  const name = `${summary.split}_${suffix}`.padEnd(NAME_WIDTH);
  const { loss, correct, count } = ofClass;
  return `E${summary.epoch} ${name} ${fixedDigits(loss, 4)} loss, ${percentCorrect(ofClass)}% correct (${correct} of ${count})`;
}

/** Three lines: the split, its negatives, its positives. Undefined scores print as nan. */
export function epochLogLines(summary: EpochSummary, names: ClassNames = NODULE_CLASSES): string[] {
  const { epoch, split, all } = summary;
  const scores = [
    `${fixedDigits(all.loss, 4)} loss`,
    `${percentCorrect(all)}% correct`,
    `${fixedDigits(summary.precision, 4)} precision`,
    `${fixedDigits(summary.recall, 4)} recall`,
    `${fixedDigits(summary.f1, 4)} f1 score`,
  ];
  return [
    `E${epoch} ${split.padEnd(NAME_WIDTH)} ${scores.join(', ')}`,
    classLine(summary, names.negative, summary.negative),
    classLine(summary, names.positive, summary.positive),
  ];
}
