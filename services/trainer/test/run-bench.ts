import { NO_AUGMENTATION } from '@lunastream/augmentation';
import { RunFolder } from '../src/runs/run-folder.ts';
import { RunJournal, type BatchProgress, type RunEvent } from '../src/runs/run-journal.ts';
import type { RunSettings } from '../src/runs/run-settings.ts';
import { splitDataset } from '../src/runs/split-dataset.ts';
import { TrainingRun, type TrainingRunParts } from '../src/runs/training-run.ts';
import { BatchMemory } from '../src/supply/batch-buffers.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.ts';
import { FakeSampleSource } from './fake-sample-source.ts';
import { UNOBSERVED_RUN } from './unobserved-run.ts';
import { DATASET, SETTINGS } from './training-fixtures.ts';

/** Right about all of `CANDIDATES` but one negative of the training side, at x = -3. */
export const MOSTLY_RIGHT = (hu: number) => (hu > 0 ? 0.8 : hu === -3 ? 0.6 : 0.3);
export const PLAIN: RunSettings = { ...SETTINGS, augmentation: NO_AUGMENTATION };

/** A run, and what it is made of. */
export interface RunBench {
  readonly run: TrainingRun;
  readonly parts: TrainingRunParts;
  readonly engine: FakeEngine;
  readonly samples: FakeSampleSource;
  readonly clock: FakeClock;
  readonly stop: AbortController;
  /** Everything the journal told; complete once the run has ended. */
  readonly events: RunEvent[];
}

/** A run in the folder `runs`, of fakes wherever it touches the world. */
export async function benchIn(
  runs: string,
  {
    settings = PLAIN,
    engine: engineOptions = {},
    folder,
    ...changes
  }: { settings?: RunSettings; engine?: FakeEngineOptions } & Partial<Omit<TrainingRunParts, 'engine'>> = {},
): Promise<RunBench> {
  const clock = new FakeClock();
  const engine = new FakeEngine({ onBatch: () => clock.advance(1000), ...engineOptions });
  const samples = new FakeSampleSource();
  const stop = new AbortController();
  const events: RunEvent[] = [];
  const journal = new RunJournal();
  const add = journal.add.bind(journal);
  journal.add = (event) => (events.push(event), add(event));
  const dataset = changes.dataset ?? DATASET;
  const parts: TrainingRunParts = {
    settings,
    dataset,
    split: splitDataset(dataset, settings),
    engine,
    samples,
    folder: folder ?? (await RunFolder.create(runs, { ...settings, startedAt: clock.now() })),
    journal,
    clock,
    signal: stop.signal,
    workerCount: 1,
    observer: UNOBSERVED_RUN,
    sampleBufferBytes: 2 ** 20,
    batchMemory: new BatchMemory(),
    ...changes,
  };
  return { run: new TrainingRun(parts), parts, engine, samples, clock, stop, events };
}

export const linesOf = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.kind === 'line' ? [`${event.level.padEnd(8)} ${event.text}`] : []));
export const scoresOf = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.kind === 'scores' ? [event.record] : []));
export const progressOf = (events: readonly RunEvent[]): BatchProgress[] =>
  events.flatMap((event) => (event.kind === 'progress' ? [event.progress] : []));
