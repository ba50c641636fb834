import { RunState, type EpochScores } from '@lunastream/contracts';
import { describe, expect, it } from 'vitest';
import { CommandError } from '../errors.ts';
import { runSeries, type SeriesObserver, type SeriesTrainer } from './run-series.ts';
import type { SeriesRecord, SeriesRun } from './series-record.ts';

const runOf = (variant: string, changes: Partial<SeriesRun> = {}): SeriesRun => ({
  variant,
  seed: 1,
  flags: [],
  settings: { comment: variant },
  runId: '',
  state: 'waiting',
  message: '',
  ...changes,
});
const recordOf = (...runs: SeriesRun[]): SeriesRecord => ({ series: 's', runs });

/** Ends each run as `ends` says by its comment: a state, or an error of StartRun. */
class FakeTrainer implements SeriesTrainer {
  readonly started: { comment: string; resumeRunId: string }[] = [];
  readonly stopped: string[] = [];
  finished: string[] = [];
  readonly #ends: Record<string, RunState | Error>;
  onWatch: (runId: string) => Promise<void> = () => Promise.resolve();

  constructor(ends: Record<string, RunState | Error> = {}) {
    this.#ends = ends;
  }

  ready = () => Promise.resolve();
  start: SeriesTrainer['start'] = ({ comment, resumeRunId }) => {
    this.started.push({ comment, resumeRunId });
    const end = this.#ends[comment];
    return end instanceof Error ? Promise.reject(end) : Promise.resolve({ runId: `s/${comment}` });
  };
  hasFinished = (runId: string) => Promise.resolve(this.finished.includes(runId));
  stop = (runId: string) => {
    this.stopped.push(runId);
    return Promise.resolve(RunState.STOPPED);
  };
  watch: SeriesTrainer['watch'] = async (runId, display) => {
    await this.onWatch(runId);
    if (this.stopped.includes(runId)) return RunState.STOPPED;
    const state = (this.#ends[runId.slice(2)] ?? RunState.FINISHED) as RunState;
    const message = state === RunState.FAILED ? 'the disk is full' : '';
    const status = { state, message, bestEpoch: 1, stallFraction: 0 };
    display.show({ event: { $case: 'scores', value: { epoch: 1 } as EpochScores } });
    display.show({ event: { $case: 'status', value: status } });
    return state;
  };
}

const quiet = () => {
  const told: string[] = [];
  const observer: SeriesObserver = {
    onRun: ({ variant, state }) => Promise.resolve(void told.push(`${variant} ${state}`)),
    onScores: ({ variant }, { epoch }) => void told.push(`${variant} E${epoch}`),
  };
  return { told, observer };
};
const never = new AbortController().signal;

describe('runSeries()', () => {
  it('does every run that waits, in order, and tells each step', async () => {
    const record = recordOf(runOf('a'), runOf('done', { state: 'finished', runId: 's/done' }), runOf('b'));
    const { told, observer } = quiet();
    const trainer = new FakeTrainer();
    await runSeries(record, [trainer], observer, never);
    expect(trainer.started.map(({ comment }) => comment)).toEqual(['a', 'b']);
    expect(record.runs.map(({ state, runId }) => [state, runId])).toEqual([
      ['finished', 's/a'],
      ['finished', 's/done'],
      ['finished', 's/b'],
    ]);
    expect(told).toEqual(['a running', 'a E1', 'a finished', 'b running', 'b E1', 'b finished']);
  });

  it('notes why a run failed, and goes on with the others', async () => {
    const record = recordOf(runOf('refused'), runOf('broken'), runOf('good'));
    const ends = { refused: new CommandError('batch size must be 1 or more'), broken: RunState.FAILED };
    await runSeries(record, [new FakeTrainer(ends)], quiet().observer, never);
    expect(record.runs.map(({ state, message }) => [state, message])).toEqual([
      ['failed', 'batch size must be 1 or more'],
      ['failed', 'the disk is full'],
      ['finished', ''],
    ]);
  });

  it('continues a run that was begun, and starts none that has finished meanwhile', async () => {
    const record = recordOf(runOf('begun', { runId: 's/begun' }), runOf('over', { runId: 's/over' }));
    const trainer = new FakeTrainer();
    trainer.finished = ['s/over'];
    await runSeries(record, [trainer], quiet().observer, never);
    expect(trainer.started).toEqual([{ comment: 'begun', resumeRunId: 's/begun' }]);
    expect(record.runs.map(({ state }) => state)).toEqual(['finished', 'finished']);
  });

  it('shares the runs between trainers, each one at a time', async () => {
    const record = recordOf(...['a', 'b', 'c', 'd', 'e'].map((name) => runOf(name)));
    const trainers = [new FakeTrainer(), new FakeTrainer()];
    let active = 0;
    let most = 0;
    for (const trainer of trainers) {
      trainer.onWatch = async () => {
        most = Math.max(most, ++active);
        await new Promise((resolve) => setImmediate(resolve));
        active--;
      };
    }
    await runSeries(record, trainers, quiet().observer, never);
    expect(most).toBe(2);
    expect(trainers.flatMap(({ started }) => started.map(({ comment }) => comment)).sort()).toEqual([
      ...'abcde',
    ]);
  });

  it('stops the active run when interrupted, and leaves the others for the next call', async () => {
    const record = recordOf(runOf('a'), runOf('b'));
    const trainer = new FakeTrainer();
    const interruption = new AbortController();
    trainer.onWatch = () => Promise.resolve(interruption.abort());
    await runSeries(record, [trainer], quiet().observer, interruption.signal);
    expect(trainer.stopped).toEqual(['s/a']);
    expect(record.runs.map(({ state }) => state)).toEqual(['stopped', 'waiting']);
  });
});
