/**
 * Which candidate each ordinal of a training epoch shows: a pure function of candidates, balance, seed and epoch, so
 * every worker, retry and replay agrees. Index arithmetic as in chapter12-facts 1.3.
 */
import { AliasTable, RandomPurpose, RandomStream } from '@lunastream/random';
import type { Candidate } from './candidate.ts';
import { EpochPlanError } from './errors.ts';
import { compileRatioSchedule } from './ratio-schedule.ts';

/** Samples of a balanced epoch, as in the book: all negatives of LUNA16 are seen about once in five epochs. */
export const DEFAULT_BALANCED_EPOCH_LENGTH = 200_000;

/**
 * How candidates become ordinals: `shuffled` by the ratio; `weighted` draws each sample with replacement, by weights that
 * make both classes equally likely (exercise 2 of the chapter).
 */
export const SAMPLERS = ['shuffled', 'weighted'] as const;
export type Sampler = (typeof SAMPLERS)[number];

/** What a plan asks of a candidate. */
export type PlannedCandidate = Pick<Candidate, 'isNodule' | 'isMalignant'>;

export interface EpochPlanOptions {
  /** The training side of a split. */
  readonly candidates: readonly PlannedCandidate[];
  /** 0: as the candidates come. N >= 1: one positive, then N negatives, and so on. */
  readonly ratio: number;
  /** The ratio as a function of the epoch, in place of `ratio`; see `compileRatioSchedule`. */
  readonly ratioSchedule?: string | undefined;
  /** Default `shuffled`. `weighted` balances by itself and takes ratio 0 only. */
  readonly sampler?: Sampler;
  /** Samples in the epoch. Default: 200,000 when balanced, by ratio or by weights, else the number of candidates. */
  readonly epochLength?: number | undefined;
  /** Unsigned 32-bit. */
  readonly runSeed: number;
  /** Unsigned 32-bit. */
  readonly epoch: number;
}

type OrderPurpose = (typeof RandomPurpose)[
  'datasetOrder' | 'positiveOrder' | 'negativeOrder' | 'benignOrder'];

function shuffled(
  indices: Uint32Array,
  key: { runSeed: number; epoch: number; purpose: OrderPurpose },
): Uint32Array {
  return new RandomStream({ ...key, ordinal: 0 }).shuffle(indices);
}

function assertLength(epochLength: number | undefined): void {
  if (epochLength !== undefined && (!Number.isSafeInteger(epochLength) || epochLength < 1)) {
    throw new EpochPlanError('epochLength', `must be a positive integer, got ${epochLength}`);
  }
}

/**
 * One fixed shuffle of all candidates for the whole run. The book's epochs replay it from the start; with an epoch length
 * of its own, each epoch goes on where the one before stopped, so that none of the candidates is left out for ever.
 */
function planUnbalanced({ candidates, runSeed, epoch, epochLength }: EpochPlanOptions): Uint32Array {
  const order = shuffled(
    Uint32Array.from(candidates, (_, index) => index),
    { runSeed, epoch: 0, purpose: RandomPurpose.datasetOrder },
  );
  if (epochLength === undefined) return order;
  const first = (epoch * epochLength) % order.length;
  return Uint32Array.from({ length: epochLength }, (_, ordinal) => order[(first + ordinal) % order.length]!);
}

function indicesOfClass(candidates: EpochPlanOptions['candidates'], isNodule: boolean): Uint32Array {
  const indices: number[] = [];
  candidates.forEach((candidate, index) => {
    if (candidate.isNodule === isNodule) indices.push(index);
  });
  if (indices.length === 0) {
    const missing = isNodule ? 'positive (class 1)' : 'negative (class 0)';
    throw new EpochPlanError('candidates', `must hold both classes to be balanced, got no ${missing} one`);
  }
  return Uint32Array.from(indices);
}

function planBalanced(options: EpochPlanOptions): Uint32Array {
  const { candidates, ratio, runSeed, epoch, epochLength = DEFAULT_BALANCED_EPOCH_LENGTH } = options;
  const positives = shuffled(indicesOfClass(candidates, true), {
    runSeed,
    epoch,
    purpose: RandomPurpose.positiveOrder,
  });
  const negativeAt = planNegatives(options);
  return Uint32Array.from({ length: epochLength }, (_, ordinal) => {
    const positive = Math.floor(ordinal / (ratio + 1));
    if (ordinal % (ratio + 1) === 0) return positives[positive % positives.length]!;
    return negativeAt(ordinal - 1 - positive);
  });
}

/** Negatives that are nodules: benign ones, where labels are by malignancy. */
const isBenign = ({ isNodule, isMalignant }: PlannedCandidate) => !isNodule && isMalignant === false;

/**
 * The negative at each place of their row: a shuffle that wraps around. Where some are benign nodules, they and the others take
 * turns, each kind shuffled by itself: at ratio 1 half of the samples are malignant, a quarter benign (chapter12-facts 1.11).
 */
function planNegatives({ candidates, runSeed, epoch }: EpochPlanOptions): (place: number) => number {
  const indices = indicesOfClass(candidates, false);
  const kindOf = (isWanted: boolean, purpose: OrderPurpose) =>
    shuffled(
      indices.filter((index) => isBenign(candidates[index]!) === isWanted),
      { runSeed, epoch, purpose },
    );
  const benign = kindOf(true, RandomPurpose.benignOrder);
  const others = kindOf(false, RandomPurpose.negativeOrder);
  const wrapped = (kind: Uint32Array, place: number) => kind[place % kind.length]!;
  if (benign.length === 0) return (place) => wrapped(others, place);
  if (others.length === 0) return (place) => wrapped(benign, place);
  return (place) => wrapped(place % 2 === 0 ? benign : others, Math.floor(place / 2));
}

/**
 * Each sample is drawn by itself, a candidate of a class of n with the probability 1 / (2 n). Labels are all it needs to
 * know: no sample is loaded. Benign nodules and other negatives share their half equally.
 */
function planWeighted(options: EpochPlanOptions): Uint32Array {
  const { candidates, runSeed, epoch, epochLength = DEFAULT_BALANCED_EPOCH_LENGTH } = options;
  const positives = indicesOfClass(candidates, true).length;
  const negatives = indicesOfClass(candidates, false).length;
  const benign = candidates.filter(isBenign).length;
  const kinds = benign > 0 && benign < negatives ? 2 : 1;
  const sizeOfKind = (candidate: PlannedCandidate) => {
    if (candidate.isNodule) return positives;
    return kinds * (isBenign(candidate) ? benign : negatives - benign);
  };
  const table = new AliasTable(candidates.map((candidate) => 1 / sizeOfKind(candidate)));
  const stream = new RandomStream({ runSeed, epoch, ordinal: 0, purpose: RandomPurpose.weightedDraw });
  return Uint32Array.from({ length: epochLength }, () => table.draw(stream));
}

/**
 * Plans one training epoch: entry `ordinal` is an index into `candidates`. Balanced (ratio N >= 1), every (N+1)th sample
 * from the first on is positive, both classes wrap around, and both are reshuffled each epoch. Unbalanced (ratio 0), the
 * order is one shuffle by the run seed, the same in each epoch.
 * With the sampler `weighted`, every sample is a draw of its own.
 * @throws EpochPlanError when the ratio, the sampler or the length is not valid, there is no candidate, or a class to be
 * balanced is empty; RatioScheduleError when the schedule gives no ratio; RangeError when seed or epoch is not an unsigned
 * 32-bit integer.
 */
export function epochPlan(options: EpochPlanOptions): Uint32Array {
  const { candidates, ratioSchedule, epoch, epochLength, sampler = 'shuffled' } = options;
  const ratio =
    ratioSchedule === undefined ? options.ratio : compileRatioSchedule(ratioSchedule).ratioAt(epoch);
  if (!Number.isSafeInteger(ratio) || ratio < 0) {
    throw new EpochPlanError('ratio', `must be an integer of 0 (unbalanced) or more, got ${ratio}`);
  }
  if (!SAMPLERS.includes(sampler)) {
    throw new EpochPlanError('sampler', `must be one of ${SAMPLERS.join(', ')}, got ${String(sampler)}`);
  }
  if (sampler === 'weighted' && ratio !== 0) {
    throw new EpochPlanError(
      'ratio',
      `must be 0 for the weighted sampler, which balances by itself, got ${ratio}`,
    );
  }
  assertLength(epochLength);
  if (candidates.length === 0) throw new EpochPlanError('candidates', 'must not be empty, got none');
  if (sampler === 'weighted') return planWeighted(options);
  return ratio === 0 ? planUnbalanced(options) : planBalanced({ ...options, ratio });
}
