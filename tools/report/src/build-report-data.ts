import { detectOverfitting, type BestScore, type EpochRecord } from '@lunastream/metrics';
import { scoreOverSeeds, validationsOf, type ComparedScore, type VariantRun } from './compare-variants.ts';
import { classWordsOf, type ClassWords } from './class-words.ts';
import type { CurveData, MistakePicture, ReportData, RunData } from './report-data.ts';
import type { RunResults } from './run-results.ts';

/** A run as a report gets it. */
export interface ReportedRun {
  readonly variant: string;
  readonly seed: number;
  readonly results: RunResults;
}

/** Draws the candidate at a position of the run's predictions as a PNG data URL. */
export type DrawCandidate = (run: ReportedRun, index: number) => Promise<string>;

/** Pictures of each kind of mistake of a run. */
const SHOWN_MISTAKES = 8;

/** Curves of the page, in their order. */
const curvesIn = ({ positives }: ClassWords): readonly (readonly [ComparedScore, string])[] => [
  ['recall', 'Recall'],
  ['precision', 'Precision'],
  ['f1', 'F1'],
  ['f2', 'F2'],
  ['f05', 'F0.5'],
  ['roc_auc', 'ROC AUC'],
  ['recall_at_fpr', 'Recall at 1 % false positives'],
  ['loss_pos', `Validation loss of ${positives}`],
];

export function toVariantRun({ variant, seed, results }: ReportedRun): VariantRun {
  const score = (results.record.settings['score'] as BestScore | undefined) ?? 'f1';
  return { variant, seed, score, epochs: results.epochs };
}

/** Everything that the page shows of `runs`. `draw` is undefined where no data set is at hand: then there are no pictures. */
export async function buildReportData(
  title: string,
  runs: readonly ReportedRun[],
  draw: DrawCandidate | undefined,
): Promise<ReportData> {
  const words = classWordsOf(runs);
  const curves = curvesIn(words).map(([score, label]) => curveOf(runs.map(toVariantRun), score, label));
  const data: RunData[] = [];
  for (const run of runs) data.push(await runDataOf(run, draw));
  return { title, words, curves, runs: data };
}

function curveOf(runs: readonly VariantRun[], score: ComparedScore, label: string): CurveData {
  const epochs = [...new Set(runs.flatMap((run) => validationsOf(run.epochs).map(({ epoch }) => epoch)))];
  epochs.sort((a, b) => a - b);
  const variants = [...new Set(runs.map(({ variant }) => variant))];
  const series = variants.map((variant) => {
    const ofVariant = runs.filter((run) => run.variant === variant).map((run) => validationsOf(run.epochs));
    const points = epochs.map((epoch) =>
      scoreOverSeeds(
        ofVariant.map((records) => records.find((record) => record.epoch === epoch)),
        score,
      ),
    );
    return {
      variant,
      mean: points.map((point) => point?.mean ?? null),
      low: points.map((point) => point?.interval?.low ?? null),
      high: points.map((point) => point?.interval?.high ?? null),
    };
  });
  return { score, label, epochs, series };
}

async function runDataOf(run: ReportedRun, draw: DrawCandidate | undefined): Promise<RunData> {
  const { results, variant, seed } = run;
  const { epochs, predictions } = results;
  const byEpoch = [...new Set(epochs.map(({ epoch }) => epoch))].sort((a, b) => a - b);
  const lossOf = (split: EpochRecord['split'], key: 'loss_pos' | 'loss_neg') =>
    byEpoch.map(
      (epoch) => epochs.find((record) => record.epoch === epoch && record.split === split)?.[key] ?? null,
    );
  const probabilitiesOf = (isNodule: boolean) =>
    encodeFloats(
      predictions
        .filter((prediction) => prediction.isNodule === isNodule && Number.isFinite(prediction.probability))
        .map(({ probability }) => probability)
        .sort((a, b) => a - b),
    );
  return {
    name: results.record.runId,
    variant,
    seed,
    epochs: byEpoch,
    losses: {
      trn_pos: lossOf('trn', 'loss_pos'),
      val_pos: lossOf('val', 'loss_pos'),
      trn_neg: lossOf('trn', 'loss_neg'),
      val_neg: lossOf('val', 'loss_neg'),
    },
    keep: epochToKeep(epochs, classWordsOf([run])),
    positives: probabilitiesOf(true),
    negatives: probabilitiesOf(false),
    threshold: Number(results.record.settings['threshold'] ?? 0.5),
    predictionsOf: results.predictionsOf ?? '',
    missed: await mistakesOf(run, draw, true),
    falseAlarms: await mistakesOf(run, draw, false),
    settings: settingRows(results),
  };
}

function epochToKeep(epochs: readonly EpochRecord[], { positives }: ClassWords): RunData['keep'] {
  const overfitting = detectOverfitting(epochs);
  if (overfitting !== undefined) {
    const { sinceEpoch, keepEpoch, keepLoss, latestLoss } = overfitting;
    const sentence =
      `Overfitting: since epoch ${sinceEpoch} the loss of ${positives} rises in validation while it does not in training; ` +
      `it was lowest, ${keepLoss.toFixed(4)}, in epoch ${keepEpoch} and is ${latestLoss.toFixed(4)} now.`;
    return { epoch: keepEpoch, isOverfitting: true, sentence };
  }
  const lowest = validationsOf(epochs)
    .filter(({ loss_pos }) => loss_pos !== null)
    .sort((a, b) => a.loss_pos! - b.loss_pos!)[0];
  if (lowest === undefined) return undefined;
  const sentence = `No overfitting found; the validation loss of ${positives} was lowest, ${lowest.loss_pos!.toFixed(4)}, in epoch ${lowest.epoch}.`;
  return { epoch: lowest.epoch, isOverfitting: false, sentence };
}

/** The positives with the lowest probabilities, or the others with the highest. */
async function mistakesOf(
  run: ReportedRun,
  draw: DrawCandidate | undefined,
  isNodule: boolean,
): Promise<MistakePicture[]> {
  const worst = run.results.predictions
    .map((prediction, index) => ({ ...prediction, index }))
    .filter((prediction) => prediction.isNodule === isNodule && Number.isFinite(prediction.probability))
    .sort((a, b) => (isNodule ? a.probability - b.probability : b.probability - a.probability))
    .slice(0, SHOWN_MISTAKES);
  const pictures: MistakePicture[] = [];
  for (const { index, probability, diameterMm, seriesUid, centerXyzMm } of worst) {
    const size = diameterMm > 0 ? `${diameterMm.toFixed(1)} mm, ` : '';
    const place = centerXyzMm.map((value) => value.toFixed(1)).join(', ');
    const caption = `${size}series …${seriesUid.slice(-8)} at (${place}) mm`;
    pictures.push({ probability, caption, picture: draw === undefined ? '' : await draw(run, index) });
  }
  return pictures;
}

function encodeFloats(values: readonly number[]): string {
  return Buffer.from(Float32Array.from(values).buffer).toString('base64');
}

function settingRows({ record }: RunResults): [string, string][] {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return [
    ['run', record.runId],
    ['started', record.startedAt],
    ['data set fingerprint', record.datasetFingerprint],
    ...Object.entries(record.settings).map(([name, value]): [string, string] => [name, text(value)]),
    ...Object.entries(record.engine).map(([name, value]): [string, string] => [
      `engine ${name}`,
      text(value),
    ]),
    ...Object.entries(record.versions).map(([name, value]): [string, string] => [
      `version of ${name}`,
      value,
    ]),
  ];
}
