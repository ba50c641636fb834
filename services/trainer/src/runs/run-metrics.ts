import {
  mergeConfusion,
  type ClassSummary,
  type ConfusionCounts,
  type EpochSummary,
  type Split,
} from '@lunastream/metrics';
import type { Report } from '@lunastream/telemetry';
import type { EpochOutcome } from './run-observer.ts';

const NO_COUNTS = mergeConfusion();
const OUTCOMES = [
  ['tp', 'truePositives'],
  ['fp', 'falsePositives'],
  ['tn', 'trueNegatives'],
  ['fn', 'falseNegatives'],
] as const;
const CLASSES = [
  ['all', 'all'],
  ['neg', 'negative'],
  ['pos', 'positive'],
] as const;
const BETAS = [
  ['0.5', 'f05'],
  ['1', 'f1'],
  ['2', 'f2'],
] as const;
const MS_PER_S = 1000;

/** Time and samples of some batches. */
interface Work {
  samples: number;
  /** Waiting for samples and computing. */
  busyMs: number;
  stallMs: number;
}

/** One split of a run. */
interface SplitMetrics {
  readonly total: Work;
  /** Of the pass under way, or the one before while none is. */
  pass: Work;
  counts: ConfusionCounts;
  latest: EpochSummary | undefined;
  latestPass: Work;
}

const newWork = (): Work => ({ samples: 0, busyMs: 0, stallMs: 0 });
const newSplit = (): SplitMetrics => ({
  total: newWork(),
  pass: newWork(),
  counts: NO_COUNTS,
  latest: undefined,
  latestPass: newWork(),
});

/** What a run tells of itself; counts since this process took it up. */
export class RunMetrics {
  readonly #run: string;
  readonly #splits: Readonly<Record<Split, SplitMetrics>> = { trn: newSplit(), val: newSplit() };
  #outcome: EpochOutcome | undefined;
  isActive = true;
  /** Of the latest training pass. */
  borderFraction: number | undefined;

  constructor(run: string) {
    this.#run = run;
  }

  /** A pass over `split` begins. */
  beginPass(split: Split): void {
    this.#splits[split].pass = newWork();
  }

  /** The engine has done a batch. */
  addBatch(
    split: Split,
    { count, stallMs, stepMs }: { count: number; stallMs: number; stepMs: number },
  ): void {
    const { total, pass } = this.#splits[split];
    for (const work of [total, pass]) {
      work.samples += count;
      work.stallMs += stallMs;
      work.busyMs += stallMs + stepMs;
    }
  }

  addEpoch(outcome: EpochOutcome): void {
    this.#outcome = outcome;
    for (const summary of [outcome.trained, outcome.validated]) {
      if (summary === undefined) continue;
      const split = this.#splits[summary.split];
      split.latest = summary;
      split.latestPass = { ...split.pass };
      split.counts = mergeConfusion(split.counts, summary.counts);
    }
  }

  report(report: Report): void {
    const run = this.#run;
    const outcome = this.#outcome;
    report('lunastream.run.active', Number(this.isActive), { run });
    for (const split of ['trn', 'val'] as const) this.#reportSplit(report, split);
    if (outcome === undefined) return;
    report('lunastream.run.epoch', outcome.trained.epoch, { run });
    report('lunastream.run.best_epoch', outcome.bestEpoch || undefined, { run });
    const { device, memoryBytes, deviceMemoryBytes } = outcome.engine;
    report('lunastream.engine.memory', memoryBytes, { run, device });
    report('lunastream.engine.device_memory', deviceMemoryBytes, { run, device });
    report('lunastream.epoch.border_voxels', this.borderFraction, { run });
    report('lunastream.epoch.overfitting', Number(outcome.isOverfitting), { run });
  }

  #reportSplit(report: Report, split: Split): void {
    const { total, counts, latest, latestPass } = this.#splits[split];
    const of = { run: this.#run, split };
    report('lunastream.run.samples', total.samples, of);
    report('lunastream.run.busy.time', total.busyMs / MS_PER_S, of);
    report('lunastream.run.stall.time', total.stallMs / MS_PER_S, of);
    for (const [outcome, count] of OUTCOMES) {
      report('lunastream.run.predictions', counts[count], { ...of, outcome });
    }
    if (latest === undefined) return;
    const passS = latestPass.busyMs / MS_PER_S;
    report('lunastream.epoch.duration', passS, of);
    report('lunastream.epoch.throughput', latestPass.samples / passS, of);
    this.#reportScores(report, latest);
  }

  #reportScores(report: Report, latest: EpochSummary): void {
    const of = { run: this.#run, split: latest.split };
    for (const [outcome, count] of OUTCOMES) {
      report('lunastream.epoch.predictions', latest.counts[count], { ...of, outcome });
    }
    report('lunastream.epoch.nonfinite', latest.nonFinite, of);
    for (const [name, key] of CLASSES) {
      report('lunastream.epoch.loss', latest[key].loss, { ...of, class: name });
      report('lunastream.epoch.accuracy', accuracyOf(latest[key]), { ...of, class: name });
    }
    report('lunastream.epoch.recall', latest.recall, of);
    report('lunastream.epoch.precision', latest.precision, of);
    for (const [beta, score] of BETAS) report('lunastream.epoch.f_score', latest[score], { ...of, beta });
    report('lunastream.epoch.roc_auc', latest.rocAuc, of);
    report('lunastream.epoch.pr_auc', latest.prAuc, of);
    report('lunastream.epoch.degenerate', Number(latest.degenerate !== undefined), of);
  }
}

function accuracyOf({ correct, count }: ClassSummary): number | undefined {
  return count === 0 ? undefined : correct / count;
}
