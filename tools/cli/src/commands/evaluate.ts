import { writeFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import {
  applyLabels,
  formatPredictions,
  LABELS,
  splitCandidates,
  type Candidate,
  type Labels,
} from '@lunastream/dataset';
import {
  competitionPerformance,
  cpmInterval,
  FROC_RATES,
  precisionInterval,
  rankSamples,
  recallInterval,
  rocAucInterval,
  summarizeEpoch,
  type EpochSummary,
  type Interval,
} from '@lunastream/metrics';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { formatTable } from '../closing-table.ts';
import { assertDataFolder } from '../data-folder.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { LocalDataset } from '../local-dataset.ts';
import { findingsByScan, type FrocScans } from '../scan-findings.ts';
import { createTaskProgress } from '../task-progress.ts';
import {
  readModel,
  scoreChunks,
  startModel,
  type ModelChoice,
  type ModelFile,
  type SampleScores,
} from '../trained-model.ts';
import type { CommandContext } from './context.ts';
import { addModelOptions } from './model-options.ts';

interface Options extends ModelChoice {
  readonly data: string;
  readonly split: 'trn' | 'val' | 'all' | 'auto';
  readonly labels?: Labels;
  readonly threshold?: number;
  readonly predictions?: string;
  readonly json?: true;
}

export function registerEvaluate(program: Command, context: CommandContext): void {
  const command = program
    .command('evaluate')
    .description('measure a model on a data set: counts, scores with intervals, FROC where scans are whole')
    .requiredOption('--data <folder>', 'LUNA16 folder');
  addModelOptions(command)
    .addOption(
      new Option(
        '--split <part>',
        'candidates to measure on; auto: val of the data that the run was trained on, else all',
      )
        .choices(['trn', 'val', 'all', 'auto'])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--labels <what>',
        'which candidates are the positives (default: as the run or the weights say, else nodule)',
      ).choices(LABELS),
    )
    .option('--predictions <file>', 'also write P(nodule) and loss of every candidate as CSV')
    .option('--json', 'the result as one JSON document')
    .action((options: Options) => evaluate(options, context));
}

async function evaluate(options: Options, context: CommandContext): Promise<void> {
  await assertDataFolder(options.data);
  const model = await readModel(options);
  const dataset = await LocalDataset.open(options.data);
  const labelled = options.labels ?? model.labels;
  const { candidates, part } = chooseCandidates(dataset, model, { ...options, labels: labelled });
  if (candidates.length === 0)
    throw new CommandError(`Cannot evaluate: ${options.data} has no usable candidates`);
  const scores = await scoreAll(dataset, candidates, model, { ...options, context });
  if (options.predictions !== undefined)
    await writeFile(options.predictions, formatPredictions(candidates, scores));
  const threshold = options.threshold ?? model.threshold;
  const labels = candidates.map(({ isNodule }) => Number(isNodule));
  const summary = summarizeEpoch({ epoch: 0, split: 'val', labels, ...scores, threshold });
  const froc = await findingsByScan(dataset, candidates, scores.probabilities);
  const result = { summary, auc: aucInterval(labels, scores), froc: frocResult(froc) };
  const { terminal } = context;
  if (options.json)
    terminal.out(
      `${JSON.stringify({ model: model.path, data: options.data, part, labels: labelled, ...result })}\n`,
    );
  else
    terminal.out(
      `${model.path} on ${part} of ${options.data}, threshold ${threshold}\n\n${resultText(result, froc, labelled)}\n`,
    );
}

/** What to measure on. A model must not be praised for the candidates that it learnt from unless that is asked for. */
function chooseCandidates(
  dataset: LocalDataset,
  { record }: ModelFile,
  { split, labels }: Pick<Options, 'split'> & { readonly labels: Labels },
): { readonly candidates: readonly Candidate[]; readonly part: string } {
  const isOwnData = record?.datasetFingerprint === dataset.fingerprint;
  const chosen = split === 'auto' ? (isOwnData ? 'val' : 'all') : split;
  if (chosen === 'all') {
    const all = { training: dataset.candidates, validation: dataset.candidates, sharedSeriesCount: 0 };
    // A model is measured on what it validates on: of malignancy, nodules alone.
    return { candidates: applyLabels(all, labels).validation, part: 'all candidates' };
  }
  const by = record?.settings.split ?? 'series';
  const { training, validation } = applyLabels(splitCandidates(dataset.candidates, { by }), labels);
  return chosen === 'val'
    ? { candidates: validation, part: 'the validation candidates' }
    : { candidates: training, part: 'the training candidates' };
}

async function scoreAll(
  dataset: LocalDataset,
  candidates: readonly Candidate[],
  model: ModelFile,
  { context, ...options }: Options & { readonly context: CommandContext },
): Promise<SampleScores> {
  const { chunkShape: shape, border } = model;
  const progress = createTaskProgress('candidates', context.terminal);
  const engine = await startModel(model, options);
  try {
    return await scoreChunks(engine, {
      count: candidates.length,
      labelOf: (index) => Number(candidates[index]!.isNodule),
      readChunk: (index) => dataset.readChunk(candidates[index]!, { shape, grownShape: shape, border }),
      onProgress: (done) => progress.update(done, candidates.length),
      signal: context.interrupted,
    });
  } catch (error) {
    if (context.interrupted.aborted) throw new CommandError('interrupted', ExitCode.interrupted);
    throw error;
  } finally {
    progress.close();
    engine.dispose();
  }
}

function aucInterval(labels: readonly number[], { probabilities }: SampleScores): Interval | undefined {
  return rocAucInterval(rankSamples(labels, probabilities));
}

function frocResult({ scans }: FrocScans) {
  const performance = competitionPerformance(scans);
  if (performance === undefined) return undefined;
  const stream = new RandomStream({ runSeed: 0, epoch: 0, ordinal: 0, purpose: RandomPurpose.bootstrap });
  return { ...performance, interval: cpmInterval(scans, { stream }), scans: scans.length };
}

interface Result {
  readonly summary: EpochSummary;
  readonly auc: Interval | undefined;
  readonly froc: ReturnType<typeof frocResult>;
}

/** What the positives are called. */
const POSITIVES: Readonly<Record<Labels, string>> = { nodule: 'nodules', malignancy: 'malignant nodules' };

function resultText(
  { summary, auc, froc }: Result,
  { partialScans, incompleteScans }: FrocScans,
  labels: Labels,
): string {
  const { counts } = summary;
  const digits = (value: number | undefined) => value?.toFixed(4) ?? 'undefined';
  const range = (interval: Interval | undefined) =>
    interval === undefined ? '' : `${interval.low.toFixed(4)} … ${interval.high.toFixed(4)}`;
  const rows: string[][] = [
    ['recall', digits(summary.recall), range(recallInterval(counts))],
    ['precision', digits(summary.precision), range(precisionInterval(counts))],
    ['F1', digits(summary.f1), ''],
    ['F2', digits(summary.f2), ''],
    ['F0.5', digits(summary.f05), ''],
    ['ROC AUC', digits(summary.rocAuc), range(auc)],
    ['PR AUC', digits(summary.prAuc), ''],
    ['recall at 1 % false positives', digits(summary.recallAtFpr), ''],
    [`loss of ${POSITIVES[labels]}`, digits(summary.positive.loss), ''],
    ['loss of others', digits(summary.negative.loss), ''],
  ];
  if (froc !== undefined) {
    rows.push([`CPM over ${froc.scans} scans`, digits(froc.cpm), range(froc.interval)]);
    froc.sensitivities.forEach((sensitivity, index) =>
      rows.push([`sensitivity at ${FROC_RATES[index]} false positives a scan`, digits(sensitivity), '']),
    );
  }
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = counts;
  const lines = [
    `TP ${truePositives}, FP ${falsePositives}, FN ${falseNegatives}, TN ${trueNegatives}` +
      (summary.nonFinite > 0 ? `, not finite ${summary.nonFinite}` : ''),
    '',
    formatTable(['score', 'value', '95 % interval'], rows, ['left', 'right', 'left']),
  ];
  if (froc === undefined)
    lines.push('', 'no FROC: no scan here is whole and has all of its candidates measured');
  else if (partialScans + incompleteScans > 0) {
    lines.push(
      '',
      `left out of the FROC: ${partialScans} partial scans, ${incompleteScans} with candidates not measured`,
    );
  }
  return lines.join('\n');
}
