import { RunState, type EpochScores, type RunSettings, type WatchRunResponse } from '@lunastream/contracts';
import { describeError } from '../errors.ts';
import type { SeriesRecord, SeriesRun } from './series-record.ts';

/** A trainer as a series uses it. */
export interface SeriesTrainer {
  start(settings: RunSettings): Promise<{ readonly runId: string }>;
  /** Shows a run's events to its end and tells how it ended. */
  watch(
    runId: string,
    display: { show(event: WatchRunResponse): void },
    signal: AbortSignal,
  ): Promise<RunState>;
  stop(runId: string): Promise<RunState>;
  /** Whether a run that was begun earlier has ended well meanwhile. */
  hasFinished(runId: string): Promise<boolean>;
  /** Resolves once the trainer answers: one that died is started again. */
  ready(signal: AbortSignal): Promise<void>;
}

/** What happens to the runs of a series. */
export interface SeriesObserver {
  /** A run changed its state; the record holds it already. */
  onRun(run: SeriesRun): Promise<void>;
  /** Scores of an epoch. */
  onScores(run: SeriesRun, scores: EpochScores): void;
}

/**
 * Does the runs of `record` that are not finished, each trainer one at a time, in order. A run that fails is noted and the
 * others go on; a run that was begun is continued from its checkpoint. On `signal` the active runs are stopped and the rest
 * waits for the next call.
 */
export async function runSeries(
  record: SeriesRecord,
  trainers: readonly SeriesTrainer[],
  observer: SeriesObserver,
  signal: AbortSignal,
): Promise<void> {
  const queue = record.runs.filter(({ state }) => state === 'waiting');
  await Promise.all(
    trainers.map(async (trainer) => {
      for (;;) {
        const run = signal.aborted ? undefined : queue.shift();
        if (run === undefined) return;
        await doRun(run, trainer, observer, signal);
      }
    }),
  );
}

async function doRun(
  run: SeriesRun,
  trainer: SeriesTrainer,
  observer: SeriesObserver,
  signal: AbortSignal,
): Promise<void> {
  try {
    await trainer.ready(signal);
    // The command may have ended before the run did.
    if (run.runId !== '' && (await trainer.hasFinished(run.runId))) {
      Object.assign(run, { state: 'finished', message: '' });
    } else {
      const settings = { ...(run.settings as unknown as RunSettings), resumeRunId: run.runId };
      const { runId } = await trainer.start(settings);
      Object.assign(run, { runId, state: 'running', message: '' });
      await observer.onRun(run);
      Object.assign(run, await watchToEnd(run, trainer, observer, signal));
    }
  } catch (error) {
    if (signal.aborted) Object.assign(run, { state: 'stopped' });
    else Object.assign(run, { state: 'failed', message: describeError(error).message });
  }
  await observer.onRun(run);
}

async function watchToEnd(
  run: SeriesRun,
  trainer: SeriesTrainer,
  observer: SeriesObserver,
  signal: AbortSignal,
): Promise<Pick<SeriesRun, 'state' | 'message'>> {
  let message = '';
  const display = {
    show({ event }: WatchRunResponse) {
      if (event?.$case === 'scores') observer.onScores(run, event.value);
      if (event?.$case === 'status') message = event.value.message;
    },
  };
  const stop = () => void trainer.stop(run.runId).catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const end = await trainer.watch(run.runId, display, new AbortController().signal);
    if (end === RunState.FINISHED) return { state: 'finished', message: '' };
    if (end === RunState.STOPPED) return { state: 'stopped', message: '' };
    return { state: 'failed', message: message || 'the trainer ended during the run' };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
