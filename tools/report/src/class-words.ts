import type { ReportedRun } from './build-report-data.ts';

/** What the page and tables call the two classes of a run. */
export interface ClassWords {
  /** With its article: "a nodule". */
  readonly aPositive: string;
  readonly positive: string;
  readonly positives: string;
  /** What is not: in a cell, and several of them. */
  readonly negative: string;
  readonly negatives: string;
  /** P(…) of what the model gives. */
  readonly symbol: string;
}

/** By a run's setting `labels`: chapter 12's classes, and chapter 14's. */
const WORDS: Readonly<Record<string, ClassWords>> = {
  nodule: {
    aPositive: 'a nodule',
    positive: 'nodule',
    positives: 'nodules',
    negative: 'none',
    negatives: 'others',
    symbol: 'P(nodule)',
  },
  malignancy: {
    aPositive: 'malignant',
    positive: 'malignant',
    positives: 'malignant nodules',
    negative: 'benign',
    negatives: 'benign nodules',
    symbol: 'P(malignant)',
  },
};

/** Of runs that learnt different things. */
const OF_SEVERAL: ClassWords = {
  aPositive: 'positive',
  positive: 'positive',
  positives: 'positives',
  negative: 'negative',
  negatives: 'negatives',
  symbol: 'P(positive)',
};

function labelsOfRun({ results }: ReportedRun): string {
  const { labels } = results.record.settings;
  return typeof labels === 'string' ? labels : 'nodule';
}

/** What `runs` learnt to tell apart, each once. */
export function labelsOf(runs: readonly ReportedRun[]): string[] {
  return [...new Set(runs.map(labelsOfRun))];
}

/** What to call the classes of `runs`. */
export function classWordsOf(runs: readonly ReportedRun[]): ClassWords {
  const [labels, ...others] = labelsOf(runs);
  return (others.length === 0 ? WORDS[labels ?? 'nodule'] : undefined) ?? OF_SEVERAL;
}

/** A word that begins a sentence. */
export function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
