import { lines, stat, type DashboardSpec, type PanelSpec } from './panel.ts';
import { rate, select, sumBy } from './queries.ts';

const RUN = { run: '~$run' } as const;
const VAL = { ...RUN, split: 'val' } as const;
const TRN = { ...RUN, split: 'trn' } as const;
const BY_SPLIT = '{{run}} {{split}}';
const SCORE = { unit: 'percentunit', min: 0, max: 1 } as const;

const now: readonly PanelSpec[] = [
  stat('Active runs', 'Runs that train now.', 'none', {
    expr: sumBy([], select('lunastream.run.active', RUN)),
    legend: 'runs',
  }),
  stat('Epoch', 'Latest epoch that is done.', 'none', {
    expr: select('lunastream.run.epoch', RUN),
    legend: '{{run}}',
  }),
  stat('Best epoch', 'Epoch of the best checkpoint.', 'none', {
    expr: select('lunastream.run.best_epoch', RUN),
    legend: '{{run}}',
  }),
  stat('Recall', 'Share of validation nodules found in the latest epoch.', 'percentunit', {
    expr: select('lunastream.epoch.recall', VAL),
    legend: '{{run}}',
  }),
  stat(
    'Degenerate',
    '1: the model calls every validation sample the same. Its accuracy means nothing.',
    'none',
    {
      expr: select('lunastream.epoch.degenerate', VAL),
      legend: '{{run}}',
    },
  ),
  stat(
    'Overfitting',
    '1: the loss on validation nodules rises while that on training nodules does not.',
    'none',
    {
      expr: select('lunastream.epoch.overfitting', RUN),
      legend: '{{run}}',
    },
  ),
];

const scores: readonly PanelSpec[] = [
  lines('Recall', 'Share of nodules found. A missed nodule is what this is about.', {
    ...SCORE,
    queries: [{ expr: select('lunastream.epoch.recall', RUN), legend: BY_SPLIT }],
  }),
  lines(
    'Precision',
    'Share of calls "nodule" that are right. Validation is not balanced: 400 to 1 in LUNA16.',
    {
      ...SCORE,
      queries: [{ expr: select('lunastream.epoch.precision', RUN), legend: BY_SPLIT }],
    },
  ),
  lines('F-scores, validation', 'F1 weighs both alike, F2 leans towards recall, F0.5 towards precision.', {
    ...SCORE,
    queries: [{ expr: select('lunastream.epoch.f_score', VAL), legend: '{{run}} F{{beta}}' }],
  }),
  lines('F-scores, training', 'On balanced samples, as trained.', {
    ...SCORE,
    queries: [{ expr: select('lunastream.epoch.f_score', TRN), legend: '{{run}} F{{beta}}' }],
  }),
  lines('Areas under curves', 'Of the ROC curve, and average precision: independent of the threshold.', {
    ...SCORE,
    queries: [
      { expr: select('lunastream.epoch.roc_auc', RUN), legend: `${BY_SPLIT} ROC` },
      { expr: select('lunastream.epoch.pr_auc', RUN), legend: `${BY_SPLIT} PR` },
    ],
  }),
  lines('Accuracy lies', 'Accuracy of all candidates beside that of nodules, which is recall.', {
    ...SCORE,
    queries: [{ expr: select('lunastream.epoch.accuracy', VAL), legend: '{{run}} {{class}}' }],
  }),
];

const losses: readonly PanelSpec[] = [
  lines(
    'Loss on nodules',
    'Training against validation: where validation rises alone, nodules are learnt by heart.',
    {
      unit: 'short',
      min: 0,
      queries: [{ expr: select('lunastream.epoch.loss', { ...RUN, class: 'pos' }), legend: BY_SPLIT }],
    },
  ),
  lines('Loss on other candidates', 'Mean cross entropy.', {
    unit: 'short',
    min: 0,
    queries: [{ expr: select('lunastream.epoch.loss', { ...RUN, class: 'neg' }), legend: BY_SPLIT }],
  }),
  lines('Loss', 'Of all candidates; at 400 to 1 that of the negatives.', {
    unit: 'short',
    min: 0,
    queries: [{ expr: select('lunastream.epoch.loss', { ...RUN, class: 'all' }), legend: BY_SPLIT }],
  }),
  lines('Probabilities that are no numbers', 'Anything above 0 means that the model has diverged.', {
    unit: 'short',
    min: 0,
    queries: [{ expr: select('lunastream.epoch.nonfinite', RUN), legend: BY_SPLIT }],
  }),
];

const confusion: readonly PanelSpec[] = [
  {
    ...lines('Confusion matrix, validation', 'Counts of the latest epoch.', {
      unit: 'none',
      queries: [{ expr: select('lunastream.epoch.predictions', VAL), legend: '{{run}} {{outcome}}' }],
    }),
    kind: 'bars',
  },
  {
    ...lines('Confusion matrix, training', 'Counts of the latest epoch.', {
      unit: 'none',
      queries: [{ expr: select('lunastream.epoch.predictions', TRN), legend: '{{run}} {{outcome}}' }],
    }),
    kind: 'bars',
  },
  lines('Missed and false', 'False negatives and false positives of validation, epoch by epoch.', {
    unit: 'short',
    min: 0,
    queries: [
      { expr: select('lunastream.epoch.predictions', { ...VAL, outcome: 'fn' }), legend: '{{run}} missed' },
      { expr: select('lunastream.epoch.predictions', { ...VAL, outcome: 'fp' }), legend: '{{run}} false' },
    ],
  }),
  lines(
    'Recall of all runs together',
    'From counts, which add up; F-scores and shares must never be averaged.',
    {
      ...SCORE,
      queries: [{ expr: `lunastream:recall:from_counts`, legend: '{{split}}' }],
    },
  ),
];

const compared: PanelSpec = {
  title: 'Runs compared',
  description: 'Validation of the latest epoch of each run.',
  kind: 'table',
  unit: 'short',
  width: 24,
  queries: [
    { expr: sumBy(['run'], select('lunastream.run.epoch', RUN)), legend: 'epoch' },
    { expr: sumBy(['run'], select('lunastream.run.best_epoch', RUN)), legend: 'best epoch' },
    { expr: sumBy(['run'], select('lunastream.epoch.recall', VAL)), legend: 'recall' },
    { expr: sumBy(['run'], select('lunastream.epoch.precision', VAL)), legend: 'precision' },
    { expr: sumBy(['run'], select('lunastream.epoch.f_score', { ...VAL, beta: '1' })), legend: 'F1' },
    { expr: sumBy(['run'], select('lunastream.epoch.f_score', { ...VAL, beta: '2' })), legend: 'F2' },
    { expr: sumBy(['run'], select('lunastream.epoch.roc_auc', VAL)), legend: 'ROC AUC' },
    {
      expr: sumBy(['run'], select('lunastream.epoch.loss', { ...VAL, class: 'pos' })),
      legend: 'loss on nodules',
    },
  ],
};

const pace: readonly PanelSpec[] = [
  lines('Samples per second', 'Of the latest pass.', {
    unit: 'short',
    min: 0,
    queries: [{ expr: select('lunastream.epoch.throughput', RUN), legend: BY_SPLIT }],
  }),
  lines('Duration of a pass', 'Computing and waiting.', {
    unit: 's',
    min: 0,
    queries: [{ expr: select('lunastream.epoch.duration', RUN), legend: BY_SPLIT }],
  }),
  lines('Samples trained', 'Per second, batch by batch.', {
    unit: 'short',
    min: 0,
    queries: [{ expr: sumBy(['run', 'split'], rate('lunastream.run.samples', RUN)), legend: BY_SPLIT }],
  }),
  lines('Memory of the engine', 'What it holds where it computes, after the latest epoch.', {
    unit: 'bytes',
    min: 0,
    queries: [
      { expr: select('lunastream.engine.memory', RUN), legend: '{{run}} on {{device}}' },
      { expr: select('lunastream.engine.device_memory', RUN), legend: 'all of {{device}}' },
    ],
  }),
  lines('Voxels that repeat the border', 'Share of training voxels; `--margin` avoids them.', {
    ...SCORE,
    queries: [{ expr: select('lunastream.epoch.border_voxels', RUN), legend: '{{run}}' }],
  }),
];

/** How well models learn. */
export const TRAINING: DashboardSpec = {
  uid: 'lunastream-training',
  title: 'Training',
  description: 'Recall, precision, F-scores and losses of every epoch; several runs side by side.',
  choosesRuns: true,
  rows: [
    { title: 'Now', panels: now },
    { title: 'Scores', panels: scores },
    { title: 'Losses', panels: losses },
    { title: 'Confusion', panels: confusion },
    { title: 'Runs', panels: [compared] },
    { title: 'Pace', panels: pace },
  ],
  annotations: [
    {
      name: 'Best epoch',
      signal: `changes(${select('lunastream.run.best_epoch', RUN)}[$__rate_interval])`,
      condition: '> 0',
      title: 'A new best epoch of {{run}}',
      color: 'green',
    },
    {
      name: 'Overfitting',
      signal: select('lunastream.epoch.overfitting', RUN),
      condition: '> 0',
      title: '{{run}} overfits',
      color: 'orange',
    },
    { name: 'Alerts', signal: 'ALERTS', condition: '== 1', title: '{{alertname}}', color: 'red' },
  ],
};
