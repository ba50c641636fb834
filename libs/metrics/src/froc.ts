/**
 * LUNA16's figures for a detector: the FROC curve (sensitivity against false positives per scan) and its competition
 * performance metric, CPM, the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per scan. As the
 * challenge counts (Setio et al., "Validation, comparison, and combination of algorithms for automatic detection of
 * pulmonary nodules in computed tomography images", Medical Image Analysis 42, 2017): of several findings in one nodule
 * the most probable is the hit and the others count for nothing; a nodule without a finding is missed at every
 * threshold; between two thresholds the curve is a straight line.
 */
import type { RandomStream } from '@lunastream/random';
import { InvalidMetricInputError } from './errors.ts';
import { assertConfidence, DEFAULT_CONFIDENCE, type Interval } from './interval.ts';
import { rankSamples } from './ranking.ts';

/** Where the CPM reads the curve, in false positives per scan. */
export const FROC_RATES = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8] as const;

export interface Finding {
  /** One that is not finite is no finding. */
  readonly probability: number;
  /** Which nodule of its scan it lies in, 0..noduleCount - 1; undefined for a false positive. */
  readonly nodule: number | undefined;
}

/** One scan of the reference, findings or not. Leave out findings that the challenge calls irrelevant. */
export interface ScanFindings {
  readonly noduleCount: number;
  readonly findings: readonly Finding[];
}

/** What findings with a probability above `threshold` reach. */
export interface FrocPoint {
  readonly threshold: number;
  readonly falsePositivesPerScan: number;
  /** Found nodules of all nodules. */
  readonly sensitivity: number;
}

export interface CompetitionPerformance {
  /** Mean of the sensitivities. */
  readonly cpm: number;
  /** One for each of `FROC_RATES`. */
  readonly sensitivities: readonly number[];
}

export interface BootstrapOptions {
  /** Draws the scans; the same key gives the same interval. */
  readonly stream: RandomStream;
  /** Default 1000, as the challenge's. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/** What counts: a hit for each nodule with a finding, and the false positives. */
interface Detection {
  readonly scan: number;
  readonly isHit: boolean;
  readonly probability: number;
}

const DEFAULT_RESAMPLES = 1000;

function assertInteger(field: string, value: number, below: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= below) {
    const rule =
      below === Infinity ? 'must be an integer of 0 or more' : `must be an integer in 0..${below - 1}`;
    throw new InvalidMetricInputError('compute an FROC curve', field, rule, value);
  }
}

function detectionsOf({ noduleCount, findings }: ScanFindings, scan: number): Detection[] {
  assertInteger(`scans[${scan}].noduleCount`, noduleCount, Infinity);
  const detections: Detection[] = [];
  const highest = new Map<number, number>();
  for (const { probability, nodule } of findings) {
    if (nodule !== undefined) assertInteger(`scans[${scan}] has a finding whose nodule`, nodule, noduleCount);
    if (!Number.isFinite(probability)) continue;
    if (nodule === undefined) detections.push({ scan, isHit: false, probability });
    else highest.set(nodule, Math.max(probability, highest.get(nodule) ?? -Infinity));
  }
  for (const probability of highest.values()) detections.push({ scan, isHit: true, probability });
  return detections;
}

function countNodules(scans: readonly ScanFindings[], weights: ArrayLike<number>): number {
  return scans.reduce((sum, { noduleCount }, scan) => sum + noduleCount * weights[scan]!, 0);
}

/**
 * The FROC curve at falling thresholds, from no findings to all. Empty when there are no nodules.
 * @throws InvalidMetricInputError for a nodule count or a nodule of a finding that is out of range.
 */
export function frocCurve(scans: readonly ScanFindings[]): FrocPoint[] {
  const detections = scans.flatMap(detectionsOf);
  const nodules = scans.reduce((sum, { noduleCount }) => sum + noduleCount, 0);
  if (nodules === 0) return [];
  const { thresholds, truePositives, falsePositives } = rankSamples(
    detections.map(({ isHit }) => Number(isHit)),
    detections.map(({ probability }) => probability),
  );
  return thresholds.map((threshold, point) => ({
    threshold,
    falsePositivesPerScan: falsePositives[point]! / scans.length,
    sensitivity: truePositives[point]! / nodules,
  }));
}

/** Scans and their detections in falling order, ready to be weighed in many ways. */
class WeighableScans {
  readonly #scans: readonly ScanFindings[];
  readonly #detections: readonly Detection[];

  constructor(scans: readonly ScanFindings[]) {
    this.#scans = scans;
    this.#detections = scans.flatMap(detectionsOf).sort((a, b) => b.probability - a.probability);
  }

  /** Sensitivities at `FROC_RATES` with scan i there `weights[i]` times; undefined when that leaves no nodules. */
  sensitivities(weights: ArrayLike<number>): number[] | undefined {
    const nodules = countNodules(this.#scans, weights);
    if (nodules === 0) return undefined;
    const allowed = FROC_RATES.map((rate) => rate * this.#scans.length);
    const sensitivities: number[] = [];
    let [hits, falsePositives] = [0, 0];
    let [hitsBefore, falsePositivesBefore] = [0, 0];
    for (const [place, { scan, isHit, probability }] of this.#detections.entries()) {
      if (isHit) hits += weights[scan]!;
      else falsePositives += weights[scan]!;
      if (this.#detections[place + 1]?.probability === probability) continue;
      while (sensitivities.length < allowed.length && falsePositives > allowed[sensitivities.length]!) {
        const share =
          (allowed[sensitivities.length]! - falsePositivesBefore) / (falsePositives - falsePositivesBefore);
        sensitivities.push((hitsBefore + share * (hits - hitsBefore)) / nodules);
      }
      if (sensitivities.length === allowed.length) break;
      [hitsBefore, falsePositivesBefore] = [hits, falsePositives];
    }
    while (sensitivities.length < allowed.length) sensitivities.push(hits / nodules);
    return sensitivities;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * CPM of the scans and the sensitivities it is the mean of. A curve that ends before a rate keeps its last value there.
 * Undefined when there are no nodules.
 * @throws InvalidMetricInputError for a nodule count or a nodule of a finding that is out of range.
 */
export function competitionPerformance(scans: readonly ScanFindings[]): CompetitionPerformance | undefined {
  const once = new Uint8Array(scans.length).fill(1);
  const sensitivities = new WeighableScans(scans).sensitivities(once);
  return sensitivities === undefined ? undefined : { cpm: mean(sensitivities), sensitivities };
}

/** As many scans as there are, drawn with replacement: how often each was drawn, written into `weights`. */
function drawScans(stream: RandomStream, weights: Uint32Array): void {
  weights.fill(0);
  for (let draw = 0; draw < weights.length; draw++) weights[stream.integerBelow(weights.length)]!++;
}

/**
 * Bootstrap interval of the CPM: scans are drawn again with replacement, since findings of one scan are not
 * independent, and the interval leaves out the same number of results on both sides (percentile method). A draw without
 * any nodule has no sensitivity and is drawn again. Undefined when there are no nodules.
 * @throws InvalidMetricInputError for scans as `competitionPerformance`, and for options out of range.
 */
export function cpmInterval(scans: readonly ScanFindings[], options: BootstrapOptions): Interval | undefined {
  const { stream, resamples = DEFAULT_RESAMPLES, confidence = DEFAULT_CONFIDENCE } = options;
  const what = 'compute an interval';
  assertConfidence(what, confidence);
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new InvalidMetricInputError(what, 'resamples', 'must be an integer of 1 or more', resamples);
  }
  const weighable = new WeighableScans(scans);
  const weights = new Uint32Array(scans.length).fill(1);
  if (countNodules(scans, weights) === 0) return undefined;
  const results = new Float64Array(resamples);
  for (let resample = 0; resample < resamples;) {
    drawScans(stream, weights);
    const sensitivities = weighable.sensitivities(weights);
    if (sensitivities !== undefined) results[resample++] = mean(sensitivities);
  }
  results.sort();
  // 1 - 0.9 is a little less than 0.1, which must not cost a place.
  const leftOut = Math.floor(((1 - confidence) / 2) * resamples + 1e-9);
  return { low: results[leftOut]!, high: results[resamples - 1 - leftOut]! };
}
