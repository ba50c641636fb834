import type { DatasetServiceClient } from '@lunastream/contracts';
import { createLogger } from '@lunastream/service-kit';
import { withTemporaryFolder } from '@lunastream/testing';
import { readTrainingDataset, type TrainingDataset } from '../src/dataset-client.ts';
import type { RunEvent } from '../src/runs/run-journal.ts';
import { RunManager, type RunManagerParts } from '../src/runs/run-manager.ts';
import { FakeClock } from './fake-clock.ts';
import { fakeDatasetClient } from './fake-dataset-client.ts';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.ts';
import { FakeSampleSource } from './fake-sample-source.ts';
import { UNOBSERVED_RUNS } from './unobserved-run.ts';
import { DATASET } from './training-fixtures.ts';

/** A run manager of fakes, and everything it started. */
export interface ManagerBench {
  readonly manager: RunManager;
  readonly engines: readonly FakeEngine[];
  readonly samples: FakeSampleSource;
  readonly clock: FakeClock;
  /** Every event of a run from its start to its end. */
  readonly story: (runId: string) => Promise<RunEvent[]>;
}

export interface ManagerBenchOptions extends Partial<Pick<RunManagerParts, 'startEngine' | 'samples'>> {
  readonly dataset?: TrainingDataset;
  readonly datasets?: DatasetServiceClient;
  readonly engine?: FakeEngineOptions;
}

export const SILENT = createLogger({
  service: 'test',
  level: 'silent',
  destination: { write: () => undefined },
});

function managerBench(runsFolder: string, options: ManagerBenchOptions = {}): ManagerBench {
  const { dataset = DATASET, engine, datasets = fakeDatasetClient(dataset), ...changes } = options;
  const engines: FakeEngine[] = [];
  const samples = new FakeSampleSource();
  const clock = new FakeClock();
  const manager = new RunManager({
    runsFolder,
    readDataset: (name, signal) => readTrainingDataset(datasets, name, signal),
    samples,
    startEngine: () => {
      const started = new FakeEngine(engine);
      engines.push(started);
      return Promise.resolve(started);
    },
    workerCount: () => 1,
    sampleBufferBytes: 2 ** 20,
    clock,
    logger: SILENT,
    observer: UNOBSERVED_RUNS,
    ...changes,
  });
  const story = async (runId: string) => {
    const events: RunEvent[] = [];
    for await (const event of manager.watch(runId, new AbortController().signal)) events.push(event);
    return events;
  };
  return { manager, engines, samples, clock, story };
}

/** Runs `use` with an empty runs folder; afterwards no run of its managers is left, active or writing. */
export function withManagers(
  use: (
    runsFolder: string,
    bench: (runsFolder: string, options?: ManagerBenchOptions) => ManagerBench,
  ) => Promise<void>,
): Promise<void> {
  return withTemporaryFolder(async (runsFolder) => {
    const managers: RunManager[] = [];
    try {
      await use(runsFolder, (folder, options) => {
        const bench = managerBench(folder, options);
        managers.push(bench.manager);
        return bench;
      });
    } finally {
      for (const manager of managers) await manager.stopActive();
    }
  });
}

/** A door that batches wait at until it is opened. */
export class Gate {
  /** Resolves once somebody waits. */
  readonly reached: Promise<void>;
  readonly wait: () => Promise<void>;
  #open: () => void = () => undefined;

  constructor() {
    const opened = new Promise<void>((resolve) => (this.#open = resolve));
    let reach: () => void;
    this.reached = new Promise((resolve) => (reach = resolve));
    this.wait = () => {
      reach();
      return opened;
    };
  }

  open(): void {
    this.#open();
  }
}
