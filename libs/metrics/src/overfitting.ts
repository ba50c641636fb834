/**
 * Overfitting shows where validation gets worse on nodules while training does not: in loss/pos, long before recall, and
 * never in the overall loss, which 400 times as many negatives decide (chapter 12.4.2: it falls to a third while val_pos
 * triples). Method, its reasons and its measured false alarms: docs/overfitting.md.
 */
import type { EpochRecord } from './epoch-record.ts';
import { fixedDigits } from './fixed-digits.ts';
import { median, medianSlope, risingTrendProbability } from './rising-trend.ts';

/** Fewer epochs can show no trend: five in rising order happen by chance once in 120. */
const FEWEST_EPOCHS = 6;
/** The share of the epochs so far that is looked at: without the first, in which every loss moves. */
const LATEST_SHARE = 3 / 4;
/** Longer series become means of neighbours, this many or a few more, against noise that lasts for epochs. */
const FEWEST_MEANS = 10;
/** At the n-th look a trend counts when chance makes one as clear with a probability of at most this / n. */
const FALSE_ALARM_BUDGET = 0.05;
/** Training that gets worse as well is no overfitting: a trend as clear as this by chance. */
const TRAINING_RISE_LEVEL = 0.05;
/** A rise below this share of the loss is not worth a warning. */
const SMALLEST_RISE = 0.2;

/** What speaks for overfitting, and the epoch to keep. */
export interface Overfitting {
  /** The latest validated epoch. */
  readonly epoch: number;
  /** The first epoch of the trend. */
  readonly sinceEpoch: number;
  /** Rise of val loss/pos along the trend, as a share of its median: 0.2 is 20 %. */
  readonly rise: number;
  /** The chance that epochs in random order rise as clearly. */
  readonly chance: number;
  readonly latestLoss: number;
  /** The epoch with the lowest val loss/pos, the earliest of several, and that loss. */
  readonly keepEpoch: number;
  readonly keepLoss: number;
}

/** loss/pos of both splits, in an epoch that has both. */
interface PositiveLosses {
  readonly epoch: number;
  readonly trained: number;
  readonly validated: number;
}

function pairSplits(records: readonly EpochRecord[]): PositiveLosses[] {
  const trained = new Map(
    records.filter(({ split }) => split === 'trn').map(({ epoch, loss_pos }) => [epoch, loss_pos]),
  );
  return records
    .filter(({ split }) => split === 'val')
    .map(({ epoch, loss_pos }) => ({ epoch, trained: trained.get(epoch) ?? null, validated: loss_pos }))
    .filter((losses): losses is PositiveLosses => losses.trained !== null && losses.validated !== null)
    .sort((a, b) => a.epoch - b.epoch);
}

/** The mean of each `size` neighbours. */
function meansOfNeighbours(values: readonly number[], size: number): number[] {
  return Array.from({ length: values.length / size }, (_, group) => {
    const neighbours = values.slice(group * size, (group + 1) * size);
    return neighbours.reduce((sum, value) => sum + value, 0) / size;
  });
}

/**
 * Looks for overfitting after the latest of `records` (lines of epochs.jsonl, in any order): val loss/pos has risen over
 * the latest three quarters of the epochs, by a Mann-Kendall test and by 20 % at least, and trn loss/pos has not.
 * Epochs without one of the two losses are left out, and fewer than 6 show nothing: undefined.
 */
export function detectOverfitting(records: readonly EpochRecord[]): Overfitting | undefined {
  const epochs = pairSplits(records);
  const length = Math.max(FEWEST_EPOCHS, Math.ceil(epochs.length * LATEST_SHARE));
  if (epochs.length < length) return undefined;
  const size = Math.max(1, Math.floor(length / FEWEST_MEANS));
  const latest = epochs.slice(-Math.floor(length / size) * size);
  const seriesOf = (split: 'validated' | 'trained') =>
    meansOfNeighbours(
      latest.map((losses) => losses[split]),
      size,
    );
  const validated = seriesOf('validated');
  const rise = (medianSlope(validated) * (validated.length - 1)) / median(validated);
  if (!(rise >= SMALLEST_RISE)) return undefined;
  const chance = risingTrendProbability(validated);
  const isTrainingRising = risingTrendProbability(seriesOf('trained')) <= TRAINING_RISE_LEVEL;
  if (chance > FALSE_ALARM_BUDGET / epochs.length || isTrainingRising) return undefined;
  const last = latest[latest.length - 1]!;
  const keep = epochs.reduce((best, losses) => (losses.validated < best.validated ? losses : best));
  return {
    epoch: last.epoch,
    sinceEpoch: latest[0]!.epoch,
    rise,
    chance,
    latestLoss: last.validated,
    keepEpoch: keep.epoch,
    keepLoss: keep.validated,
  };
}

/** A sentence for the log about `detectOverfitting`, in the form of `epochWarnings`; undefined when all is well. */
export function overfittingWarning(records: readonly EpochRecord[]): string | undefined {
  const overfitting = detectOverfitting(records);
  if (overfitting === undefined) return undefined;
  const { epoch, sinceEpoch, rise, latestLoss, keepEpoch, keepLoss } = overfitting;
  return (
    `E${epoch} val: the model overfits: val_pos loss has risen by ${fixedDigits(rise * 100, 0)}% since epoch ${sinceEpoch} ` +
    `while trn_pos loss has not; keep epoch ${keepEpoch} (val_pos loss ${fixedDigits(keepLoss, 4)}, now ${fixedDigits(latestLoss, 4)})`
  );
}
