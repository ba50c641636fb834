/**
 * The moving parts of the report, run by the browser: plots, the choice of score and run, the threshold slider. Everything it
 * shows is in the page's own data; it asks nobody for anything.
 */
import type UPlot from 'uplot';
import type { CurveData, MistakePicture, ReportData, RunData } from '../report-data.ts';

declare const uPlot: typeof UPlot;

/** Okabe and Ito's colours, in an order that keeps neighbours apart; the darker ones are lifted on dark paper. */
const COLOURS = {
  light: ['#0072b2', '#d55e00', '#007a5c', '#b0478a', '#8a6d00', '#5a5a5a', '#7a3fb5'],
  dark: ['#56b4e9', '#f0935a', '#35c79b', '#e08abf', '#e6c229', '#b8bec5', '#b992ea'],
};
const DASHES: readonly number[][] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const PLOT_HEIGHT = 300;
const SLIDER_STEPS = 1000;
/** More of them are one grey field. */
const MOST_BANDS = 8;

const data = JSON.parse(element('report-data').textContent) as ReportData;
const darkScheme = matchMedia('(prefers-color-scheme: dark)');
const plots = new Map<string, UPlot>();

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`internal: the page has no element ${id}`);
  return found;
}

function make(tag: string, text: string, parent: Element): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}

const ink = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = () => (darkScheme.matches ? COLOURS.dark : COLOURS.light);
const colourOf = (index: number) => palette()[index % palette().length]!;
const dashOf = (index: number) => DASHES[Math.floor(index / palette().length) % DASHES.length]!;
/** Many bands over each other must leave the lines readable. */
const faded = (colour: string, bands: number) => `${colour}${bands > 4 ? '16' : '2e'}`;

/** Draws a plot into the element `id`, in place of the one that was there, as wide as the page allows. */
function draw(id: string, options: Partial<UPlot.Options>, values: UPlot.AlignedData): void {
  const target = element(id);
  plots.get(id)?.destroy();
  const whole: UPlot.Options = {
    width: Math.max(280, target.clientWidth),
    height: PLOT_HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    series: [],
    ...options,
  };
  plots.set(id, new uPlot(whole, values, target));
}

function axis(label: string, extra: Partial<UPlot.Axis> = {}): UPlot.Axis {
  const stroke = () => ink('--faint');
  const grid = { stroke: () => ink('--line'), width: 1 };
  return {
    label,
    stroke,
    grid,
    ticks: grid,
    labelSize: 22,
    font: '12px system-ui',
    labelFont: '12px system-ui',
    ...extra,
  };
}

const shareScale = { range: [-0.02, 1.02] as UPlot.Range.MinMax };
/** Epochs are whole numbers: no ticks between them. */
const epochAxis = () =>
  axis('epoch', {
    incrs: [1, 2, 5, 10, 20, 50, 100],
    values: (_, ticks) => ticks.map((tick) => String(tick)),
  });
const epochScale = (epochs: readonly number[]) => {
  const [first = 0, last = 1] = [epochs[0], epochs.at(-1)];
  return { time: false, range: [first - 0.3, Math.max(last, first + 1) + 0.3] as UPlot.Range.MinMax };
};

function drawCurves({ label, epochs, series, score }: CurveData): void {
  const values: (readonly (number | null)[])[] = [epochs];
  const lines: UPlot.Series[] = [{}];
  const bands: UPlot.Band[] = [];
  series.forEach(({ mean, low, high }, index) => {
    const colour = colourOf(index);
    const edge: UPlot.Series = { stroke: 'transparent', points: { show: false } };
    if (series.length <= MOST_BANDS) {
      bands.push({ series: [values.length, values.length + 1], fill: faded(colour, series.length) });
    }
    values.push(high, low, mean);
    lines.push(edge, edge, {
      stroke: colour,
      width: 2,
      dash: dashOf(index),
      spanGaps: true,
      points: { size: 5, fill: colour },
    });
  });
  const scales = { x: epochScale(epochs), y: score === 'loss_pos' ? {} : shareScale };
  draw(
    'curve-plot',
    { series: lines, bands, scales, axes: [epochAxis(), axis(label)] },
    values as unknown as UPlot.AlignedData,
  );
}

function showLegend(): void {
  const legend = element('curve-legend');
  legend.replaceChildren();
  (data.curves[0]?.series ?? []).forEach(({ variant }, index) =>
    addToLegend(legend, variant, colourOf(index), dashOf(index)),
  );
}

function showCurves(chosen: number): void {
  const buttons = element('score-buttons');
  buttons.replaceChildren();
  data.curves.forEach((curve, index) => {
    const button = make('button', curve.label, buttons);
    button.setAttribute('aria-pressed', String(index === chosen));
    button.addEventListener('click', () => {
      chosenCurve = index;
      showCurves(index);
    });
  });
  const curve = data.curves[chosen];
  if (curve !== undefined) drawCurves(curve);
  showLegend();
}

const LOSS_LINES = [
  ['val_pos', `${data.words.positives}, validation`, 1, []],
  ['trn_pos', `${data.words.positives}, training`, 1, [6, 4]],
  ['val_neg', `${data.words.negatives}, validation`, 0, []],
  ['trn_neg', `${data.words.negatives}, training`, 0, [6, 4]],
] as const;

function drawLosses({ epochs, losses, keep }: RunData): void {
  const series: UPlot.Series[] = LOSS_LINES.map(([, label, colour, dash]) => ({
    label,
    stroke: colourOf(colour),
    width: 2,
    dash: [...dash],
    spanGaps: true,
    points: { size: 5, fill: colourOf(colour) },
  }));
  // A loss of 0 has no place on a logarithmic axis.
  const values = LOSS_LINES.map(([key]) =>
    losses[key].map((loss) => (loss === null || loss > 0 ? loss : 1e-6)),
  );
  const scales = { x: epochScale(epochs), y: { distr: 3 as const } };
  const hooks = { draw: [(plot: UPlot) => markEpoch(plot, keep)] };
  draw(
    'loss-plot',
    { series: [{}, ...series], scales, hooks, axes: [epochAxis(), axis('cross entropy, nats')] },
    [epochs, ...values] as unknown as UPlot.AlignedData,
  );
  showLossLegend();
  element('keep-sentence').textContent = keep?.sentence ?? 'No validation has a loss yet.';
}

/** A line through the epoch to keep, and in words why. */
function markEpoch(plot: UPlot, keep: RunData['keep']): void {
  if (keep === undefined) return;
  const { ctx, bbox } = plot;
  const x = plot.valToPos(keep.epoch, 'x', true);
  const colour = ink(keep.isOverfitting ? '--bad' : '--good');
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui`;
  const isRight = x > bbox.left + bbox.width * 0.6;
  ctx.textAlign = isRight ? 'right' : 'left';
  const words = keep.isOverfitting
    ? 'keep this one: overfitting after it'
    : `lowest ${data.words.positive} loss`;
  ctx.fillText(words, x + (isRight ? -6 : 6) * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
  ctx.restore();
}

function showLossLegend(): void {
  const legend = element('loss-legend');
  legend.replaceChildren();
  for (const [, label, colour, dash] of LOSS_LINES) addToLegend(legend, label, colourOf(colour), dash);
}

function addToLegend(legend: HTMLElement, label: string, colour: string, dash: readonly number[]): void {
  const entry = make('span', '', legend);
  entry.insertAdjacentHTML(
    'afterbegin',
    `<svg viewBox="0 0 26 10" aria-hidden="true"><line x1="0" x2="26" y1="5" y2="5" stroke-width="3" stroke="${colour}" stroke-dasharray="${dash.join(' ')}"/></svg>`,
  );
  entry.append(label);
}

function decodeFloats(base64: string): Float32Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** How many of ascending `values` are above `threshold`. */
function countAbove(values: Float32Array, threshold: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! > threshold) high = middle;
    else low = middle + 1;
  }
  return values.length - low;
}

interface Counts {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

function countsAt({ positives, negatives }: ShownRun, threshold: number): Counts {
  const tp = countAbove(positives, threshold);
  const fp = countAbove(negatives, threshold);
  return { tp, fp, fn: positives.length - tp, tn: negatives.length - fp };
}

interface ShownRun {
  readonly positives: Float32Array;
  readonly negatives: Float32Array;
  threshold: number;
}

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
const inWords = (value: number | null) => (value === null ? 'undefined' : value.toFixed(4));
const fBeta = ({ tp, fp, fn }: Counts, beta: number) =>
  share((1 + beta ** 2) * tp, (1 + beta ** 2) * tp + beta ** 2 * fn + fp);

/** Points of the curves: every threshold that changes a call, falling; thinned where there are more than a screen shows. */
function curvePoints(run: ShownRun): Counts[] {
  const thresholds = [...new Set([...run.positives, ...run.negatives])].sort((a, b) => b - a);
  const step = Math.max(1, Math.floor(thresholds.length / 4000));
  const kept = thresholds.filter((_, index) => index % step === 0 || index === thresholds.length - 1);
  return [1, ...kept, -1].map((threshold) => countsAt(run, threshold));
}

/** Draws y over x, which ascends as the threshold falls, with a dot where the threshold is. */
function drawPath(
  id: string,
  {
    points,
    at,
    labels,
  }: {
    points: readonly (readonly [number, number])[];
    at: readonly [number, number] | undefined;
    labels: readonly [string, string];
  },
): void {
  const dot = (plot: UPlot) => {
    if (at === undefined) return;
    const { ctx } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.arc(
      plot.valToPos(at[0], 'x', true),
      plot.valToPos(at[1], 'y', true),
      6 * devicePixelRatio,
      0,
      2 * Math.PI,
    );
    ctx.fillStyle = ink('--bad');
    ctx.fill();
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.strokeStyle = ink('--card');
    ctx.stroke();
    ctx.restore();
  };
  draw(
    id,
    {
      series: [{}, { stroke: colourOf(0), width: 2, points: { show: false } }],
      scales: { x: { time: false, ...shareScale }, y: shareScale },
      axes: [axis(labels[0]), axis(labels[1])],
      hooks: { draw: [dot] },
    },
    [points.map(([x]) => x), points.map(([, y]) => y)],
  );
}

function showThreshold(run: ShownRun, points: readonly Counts[]): void {
  const counts = countsAt(run, run.threshold);
  element('threshold-value').textContent = run.threshold.toFixed(3);
  const total = {
    tp: run.positives.length,
    fn: run.positives.length,
    fp: run.negatives.length,
    tn: run.negatives.length,
  };
  for (const name of ['tp', 'fp', 'fn', 'tn'] as const) {
    const cell = element(`count-${name}`);
    cell.textContent = counts[name].toLocaleString('en');
    cell.style.background = `rgb(var(--wash) / ${(0.06 + 0.3 * (share(counts[name], total[name]) ?? 0)).toFixed(3)})`;
  }
  const { tp, fp, fn, tn } = counts;
  const [recall, precision, rate] = [share(tp, tp + fn), share(tp, tp + fp), share(fp, fp + tn)];
  const scores = element('threshold-scores');
  scores.replaceChildren();
  const rows: readonly (readonly [string, number | null])[] = [
    ['Recall', recall],
    ['Precision', precision],
    ['F1', fBeta(counts, 1)],
    ['F2', fBeta(counts, 2)],
    ['F0.5', fBeta(counts, 0.5)],
    ['False positive rate', rate],
  ];
  for (const [name, value] of rows) {
    const pair = make('div', '', scores);
    make('dt', name, pair);
    make('dd', inWords(value), pair);
  }
  showMistakes('missed', run.threshold);
  showMistakes('false-alarms', run.threshold);
  const roc = points.flatMap(({ tp, fp, fn, tn }) => pointOf(share(fp, fp + tn), share(tp, tp + fn)));
  drawPath('roc-plot', {
    points: roc,
    at: pointOf(rate, recall)[0],
    labels: ['false positive rate', 'recall'],
  });
  const pr = points.flatMap(({ tp, fp, fn }) => pointOf(share(tp, tp + fn), share(tp, tp + fp)));
  drawPath('pr-plot', { points: pr, at: pointOf(recall, precision)[0], labels: ['recall', 'precision'] });
}

function pointOf(x: number | null, y: number | null): [number, number][] {
  return x === null || y === null ? [] : [[x, y]];
}

/** Of the worst that there are pictures of, those that are mistakes at the threshold. */
function showMistakes(id: string, threshold: number): void {
  const figures = [...element(id).querySelectorAll('figure')];
  for (const figure of figures) {
    const isCalledPositive = Number(figure.dataset['probability']) > threshold;
    figure.hidden = isCalledPositive === (id === 'missed');
  }
  element(`${id}-none`).hidden = figures.length === 0 || figures.some(({ hidden }) => !hidden);
}

function showGallery(id: string, mistakes: readonly MistakePicture[]): void {
  const gallery = element(id);
  gallery.replaceChildren();
  if (mistakes.length === 0)
    make('p', 'None: the run kept no predictions of this class.', gallery).className = 'note';
  for (const { probability, caption, picture } of mistakes) {
    const figure = make('figure', '', gallery);
    figure.dataset['probability'] = String(probability);
    if (picture !== '') {
      const image = document.createElement('img');
      image.src = picture;
      image.alt = `middle slice of ${caption}`;
      figure.append(image);
    }
    const words = make('figcaption', '', figure);
    make('strong', `${data.words.symbol} ${probability.toFixed(4)}`, words);
    words.append(caption);
  }
}

function showRun(index: number): void {
  const run = data.runs[index];
  if (run === undefined) return;
  drawLosses(run);
  shown = {
    positives: decodeFloats(run.positives),
    negatives: decodeFloats(run.negatives),
    threshold: run.threshold,
  };
  shownPoints = curvePoints(shown);
  (element('threshold') as HTMLInputElement).value = String(Math.round(run.threshold * SLIDER_STEPS));
  showGallery('missed', run.missed);
  showGallery('false-alarms', run.falseAlarms);
  showThreshold(shown, shownPoints);
  const settings = element('settings');
  settings.replaceChildren();
  for (const [name, value] of run.settings) {
    const row = make('tr', '', settings);
    make('th', name, row).setAttribute('scope', 'row');
    make('td', value, row);
  }
}

let chosenCurve = 0;
/** First the run that trained longest: the page is about what it learnt. */
let chosenRun = data.runs.reduce(
  (longest, run, index) => (run.epochs.length > data.runs[longest]!.epochs.length ? index : longest),
  0,
);
let shown: ShownRun = { positives: new Float32Array(0), negatives: new Float32Array(0), threshold: 0.5 };
let shownPoints: readonly Counts[] = [];

const select = element('run-select') as HTMLSelectElement;
data.runs.forEach(({ variant, seed, predictionsOf }, index) => {
  const words = predictionsOf === '' ? '' : `, ${predictionsOf} epoch`;
  (make('option', `${variant}, seed ${seed}${words}`, select) as HTMLOptionElement).value = String(index);
});
select.addEventListener('change', () => showRun((chosenRun = Number(select.value))));
element('threshold').addEventListener('input', (event) => {
  shown.threshold = Number((event.target as HTMLInputElement).value) / SLIDER_STEPS;
  showThreshold(shown, shownPoints);
});
const redraw = () => {
  showCurves(chosenCurve);
  const run = data.runs[chosenRun];
  if (run !== undefined) drawLosses(run);
  showThreshold(shown, shownPoints);
};
darkScheme.addEventListener('change', redraw);
addEventListener('resize', redraw);
select.value = String(chosenRun);
showCurves(chosenCurve);
showRun(chosenRun);
document.documentElement.dataset['ready'] = 'true';
