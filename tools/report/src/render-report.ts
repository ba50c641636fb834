import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compareVariants, type ScoreOverSeeds, type VariantSummary } from './compare-variants.ts';
import { buildReportData, toVariantRun, type DrawCandidate, type ReportedRun } from './build-report-data.ts';
import { capitalised, classWordsOf, labelsOf, type ClassWords } from './class-words.ts';
import { ReportError } from './errors.ts';
import { PAGE_STYLE } from './page-style.ts';
import { meanScoreChoices, type ScoreChoice } from './score-choices.ts';

const require = createRequire(import.meta.url);

export interface ReportOptions {
  readonly title: string;
  readonly runs: readonly ReportedRun[];
  /** Draws the slices of mistakes; absent leaves them out. */
  readonly draw?: DrawCandidate | undefined;
}

/** Columns of the comparison: score, head, whether more is better. */
const columnsIn = ({ positive }: ClassWords) =>
  [
    ['recall', 'Recall', true],
    ['precision', 'Precision', true],
    ['f1', 'F1', true],
    ['f2', 'F2', true],
    ['roc_auc', 'AUC', true],
    ['recall_at_fpr', 'Recall at 1 % FPR', true],
    ['loss_pos', `${capitalised(positive)} loss`, false],
  ] as const;

/**
 * The report of `runs` as one HTML page that needs nothing else: style, script, data and pictures are inside, and its policy
 * forbids every request.
 * @throws ReportError when there are no runs.
 */
export async function renderReport({ title, runs, draw }: ReportOptions): Promise<string> {
  if (runs.length === 0) throw new ReportError('there must be a run to report, got none');
  const data = await buildReportData(title, runs, draw);
  const summaries = compareVariants(runs.map(toVariantRun));
  const [script, plot, plotStyle] = await Promise.all([
    readFile(
      join(dirname(require.resolve('@lunastream/report/package.json')), 'dist/src/browser/report-page.js'),
      'utf8',
    ),
    readFile(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8'),
    readFile(require.resolve('uplot/dist/uPlot.min.css'), 'utf8'),
  ]);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${plotStyle}${PAGE_STYLE}</style>
</head>
<body>
${pageBody(title, summaries, runs)}
<script type="application/json" id="report-data">${jsonInHtml(data)}</script>
<script>${inScript(plot)}</script>
<script type="module">${inScript(script.replace(/^\/\/# sourceMappingURL=.*$/m, ''))}</script>
</body>
</html>
`;
}

function pageBody(title: string, summaries: readonly VariantSummary[], runs: readonly ReportedRun[]): string {
  const fingerprints = new Set(runs.map(({ results }) => results.record.datasetFingerprint));
  const words = classWordsOf(runs);
  const warnings = [
    ...(fingerprints.size > 1 ? ['were made on different data'] : []),
    ...(labelsOf(runs).length > 1 ? [`have different labels (${labelsOf(runs).join(', ')})`] : []),
  ];
  const warning =
    warnings.length > 0
      ? `<p class="warning">These runs ${escapeHtml(warnings.join(' and '))}: their scores cannot be compared.</p>`
      : '';
  return `<header>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${runs.length} ${runs.length === 1 ? 'run' : 'runs'} of ${summaries.length} ${summaries.length === 1 ? 'variant' : 'variants'}.
Validation scores; what is above the threshold is called ${words.aPositive}. Research software, not a medical device.</p>
${warning}
</header>
<main>
<section><h2>Comparison</h2>${comparisonTable(summaries, words)}
<p class="note">Last validation of each run: mean over seeds with its 95 % interval (Student); for one run, recall and precision have
Wilson's interval over its candidates. Intervals are cut where no score can be: below 0, and shares above 1. Bold is the best mean.
Undefined is 0/0: nothing was called ${words.aPositive}; a mean of 1 of 3 leaves out the seeds where it was.</p></section>
<section><h2>Epoch by epoch</h2>
<div class="controls" id="score-buttons" role="group" aria-label="Score"></div>
<div class="plot" id="curve-plot"></div><div class="legend" id="curve-legend"></div>
<p class="note">Bands are 95 % intervals; with more than 8 variants they are left out.</p></section>
<section class="run-section"><h2>One run</h2>
<label class="controls">Run <select id="run-select"></select></label>
<div class="columns">
<div><h3>Losses by class</h3><div class="plot" id="loss-plot"></div><div class="legend" id="loss-legend"></div><p class="note" id="keep-sentence"></p></div>
<div><h3>At a threshold</h3>
<label class="slider">Call it ${words.aPositive} above <output id="threshold-value"></output>
<input id="threshold" type="range" min="0" max="1000" step="1" aria-label="Threshold"></label>
<table class="confusion" aria-label="Confusion matrix"><thead><tr><td></td><th scope="col">called ${words.positive}</th><th scope="col">called ${words.negative}</th></tr></thead>
<tbody><tr><th scope="row">${words.positive}</th><td id="count-tp"></td><td id="count-fn"></td></tr>
<tr><th scope="row">${words.negative}</th><td id="count-fp"></td><td id="count-tn"></td></tr></tbody></table>
<dl class="scores" id="threshold-scores"></dl></div>
<div><h3>ROC</h3><div class="plot" id="roc-plot"></div></div>
<div><h3>Precision and recall</h3><div class="plot" id="pr-plot"></div></div>
</div>
<h3>${capitalised(words.positives)} it missed most clearly</h3><div class="gallery" id="missed"></div><p class="note" id="missed-none">None at this threshold.</p>
<h3>What it took for ${words.positives} most clearly</h3><div class="gallery" id="false-alarms"></div><p class="note" id="false-alarms-none">None at this threshold.</p>
<details><summary>Settings and versions</summary><table class="settings" id="settings"></table></details></section>
<section><h2>Which epoch each score would choose</h2>${choicesTable(summaries, runs, words)}
<p class="note">Every epoch was measured on the same candidates, so the choices can be compared by what they cost: ${words.positives} missed and false
positives, means over seeds. Bold misses fewest.</p></section>
</main>`;
}

function comparisonTable(summaries: readonly VariantSummary[], words: ClassWords): string {
  const columns = columnsIn(words);
  const bestOf = columns.map(([score, , isMoreBetter]) => {
    const means = summaries.flatMap(({ last }) => (last[score] === undefined ? [] : [last[score].mean]));
    // Where all are alike none is the best.
    return new Set(means).size < 2 ? undefined : isMoreBetter ? Math.max(...means) : Math.min(...means);
  });
  const head = ['Variant', 'Runs', ...columns.map(([, label]) => label), 'Best epoch'].map(
    (label) => `<th scope="col">${label}</th>`,
  );
  const rows = summaries.map((summary) => {
    const cells = columns.map(([score], column) => {
      const value = summary.last[score];
      const isBest = value !== undefined && value.mean === bestOf[column];
      const cell = scoreCell(value, { isShare: score !== 'loss_pos', runs: summary.runs });
      return `<td${isBest ? ' class="best"' : ''}>${cell}</td>`;
    });
    const epochs = summary.bestEpochs.map((epoch) => (epoch === 0 ? 'none' : String(epoch))).join(', ');
    return `<tr><th scope="row">${escapeHtml(summary.variant)}</th><td>${summary.runs}</td>${cells.join('')}<td>${epochs}</td></tr>`;
  });
  return `<div class="scroll"><table class="comparison"><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

/** The mean, its interval, and for a score in 0..1 a small picture of both. */
function scoreCell(
  value: ScoreOverSeeds,
  { isShare, runs }: { readonly isShare: boolean; readonly runs: number },
): string {
  if (value === undefined) return '<span class="undefined">undefined</span>';
  const { mean, interval, count } = value;
  // Student's interval knows nothing of a score's bounds.
  const bounded = (end: number) => Math.min(isShare ? 1 : Infinity, Math.max(0, end)).toFixed(3);
  const words = [
    ...(interval === undefined ? [] : [`${bounded(interval.low)} … ${bounded(interval.high)}`]),
    ...(count === runs ? [] : [`${count} of ${runs}`]),
  ];
  const range = words.length === 0 ? '' : `<span class="interval">${words.join(', ')}</span>`;
  return `<span class="mean">${mean.toFixed(4)}</span>${range}${isShare ? intervalPicture(value) : ''}`;
}

function intervalPicture({ mean, interval }: NonNullable<ScoreOverSeeds>): string {
  const x = (share: number) => (2 + 96 * Math.min(1, Math.max(0, share))).toFixed(1);
  const band =
    interval === undefined
      ? ''
      : `<line class="band" x1="${x(interval.low)}" x2="${x(interval.high)}" y1="5" y2="5"/>`;
  return `<svg class="dot" viewBox="0 0 100 10" aria-hidden="true"><line class="axis" x1="2" x2="98" y1="5" y2="5"/>${band}<circle cx="${x(mean)}" cy="5" r="3"/></svg>`;
}

const CHOICES = {
  f1: 'F1',
  f2: 'F2',
  f05: 'F0.5',
  recall: 'Recall',
  auc: 'ROC AUC',
  'recall-at-fpr': 'Recall at 1 % FPR',
} as const satisfies Partial<Record<ScoreChoice['score'], string>>;

/** What the choices of `scoreChoices` are called, in its order. */
export function choiceLabels({ positive }: ClassWords): Readonly<Record<ScoreChoice['score'], string>> {
  return { ...CHOICES, loss_pos: `Lowest ${positive} loss` };
}

/** A row per variant, a column per score: the epochs it chooses, and what they cost. */
function choicesTable(
  summaries: readonly VariantSummary[],
  runs: readonly ReportedRun[],
  words: ClassWords,
): string {
  const rows = summaries.map(({ variant }) => {
    const choices = meanScoreChoices(runs.filter((run) => run.variant === variant).map(toVariantRun));
    const missed = new Set(choices.flatMap(({ missedNodules }) => missedNodules ?? []));
    // Where all miss as many none is the best.
    const fewest = missed.size < 2 ? undefined : Math.min(...missed);
    const cells = choices.map(({ epochs, missedNodules, falsePositives }) => {
      if (missedNodules === undefined) return '<td><span class="undefined">undefined</span></td>';
      const cost = `${shortNumber(missedNodules)} missed, ${shortNumber(falsePositives ?? 0)} false`;
      return (
        `<td${missedNodules === fewest ? ' class="best"' : ''}><span class="mean">E ${epochs.join(', ')}</span>` +
        `<span class="interval">${cost}</span></td>`
      );
    });
    return `<tr><th scope="row">${escapeHtml(variant)}</th>${cells.join('')}</tr>`;
  });
  const head = ['Variant', ...Object.values(choiceLabels(words))].map(
    (label) => `<th scope="col">${label}</th>`,
  );
  return (
    `<div class="scroll"><table class="choices"><thead><tr>${head.join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

function shortNumber(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(1);
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** JSON that cannot end its script element, whatever names are in it. */
function jsonInHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

function inScript(source: string): string {
  if (/<\/script/i.test(source)) throw new Error('internal: a script of the report ends its own element');
  return source;
}
