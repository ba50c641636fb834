import type { status } from '@grpc/grpc-js';
import { type ServerErrorResponse } from '@grpc/grpc-js';
import {
  EpochScores,
  Run,
  RunState,
  TrainingServiceService,
  type RunSettings,
  type TrainingServiceServer,
  type WatchRunResponse,
} from '@lunastream/contracts';
import {
  createLogger,
  GrpcServer,
  StreamRegistry,
  streamHandler,
  unaryHandler,
} from '@lunastream/service-kit';

export const RUN_ID = 'p2ch12/2026-11-23_09.05.13-dlwpt';

/** A trainer that answers as it is told, on a loopback port; nothing is trained. */
export class FakeTrainer {
  runs: Run[] = [];
  /** What a watcher is told. */
  events: WatchRunResponse[] = [];
  /** Whether watchers wait after `events` until a StopRun. */
  runsUntilStopped = false;
  refusal: { code: status; details: string } | undefined;
  /** Settings of every StartRun, ids of every StopRun. */
  readonly started: RunSettings[] = [];
  /** Weights that came with each. */
  readonly startedFrom: Uint8Array[] = [];
  readonly stopped: string[] = [];
  readonly listed: { tbPrefix: string; limit: number }[] = [];
  #stop: () => void = () => undefined;
  readonly #stopRequested = new Promise<void>((resolve) => (this.#stop = resolve));

  /** Serves until `use` is done. */
  async serve(use: (address: string) => Promise<void>): Promise<void> {
    const streams = new StreamRegistry();
    const context = {
      logger: createLogger({
        service: 'fake-trainer',
        level: 'silent',
        destination: { write: () => undefined },
      }),
      streams,
    };
    const implementation: TrainingServiceServer = {
      startRun: unaryHandler(context, ({ settings, initialWeights }) => {
        this.#refuse();
        this.started.push(settings!);
        this.startedFrom.push(initialWeights);
        return Promise.resolve({ runId: RUN_ID, runFolder: `/runs/${RUN_ID}` });
      }),
      watchRun: streamHandler(context, (_, signal) => this.#watch(signal)),
      stopRun: unaryHandler(context, ({ runId }) => {
        this.#refuse();
        this.stopped.push(runId);
        this.#stop();
        return Promise.resolve({ state: RunState.STOPPED });
      }),
      listRuns: unaryHandler(context, (request) => {
        this.listed.push(request);
        return Promise.resolve({ runs: this.runs });
      }),
      getRun: unaryHandler(context, ({ runId }) => {
        this.#refuse();
        return Promise.resolve({ run: this.runs.find((run) => run.runId === runId) });
      }),
    };
    const server = new GrpcServer([{ definition: TrainingServiceService, implementation }], streams);
    try {
      await use(await server.listen('127.0.0.1:0'));
    } finally {
      await server.drain({ drainDelayMs: 0, drainTimeoutMs: 0 });
    }
  }

  async *#watch(signal: AbortSignal): AsyncGenerator<WatchRunResponse> {
    yield* this.events;
    if (!this.runsUntilStopped) return;
    await Promise.race([
      this.#stopRequested,
      new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
    ]);
    yield statusEvent(RunState.STOPPED);
  }

  #refuse(): void {
    if (this.refusal === undefined) return;
    const { code, details } = this.refusal;
    throw Object.assign(new Error(details), { code, details }) satisfies ServerErrorResponse;
  }
}

export const TIME = new Date(2026, 10, 23, 9, 5, 13);

export function lineEvent(text: string, level: 'INFO' | 'WARNING' = 'INFO'): WatchRunResponse {
  return { event: { $case: 'logLine', value: { time: TIME, level, text } } };
}

export function statusEvent(state: RunState, message = ''): WatchRunResponse {
  return { event: { $case: 'status', value: { state, message, bestEpoch: 1, stallFraction: 0.125 } } };
}

export function progressEvent(doneSamples: number, waitingFor = '', split = 'trn'): WatchRunResponse {
  return {
    event: {
      $case: 'progress',
      value: {
        epoch: 1,
        split,
        doneSamples,
        totalSamples: 16,
        samplesPerSecond: doneSamples === 0 ? 0 : 4,
        meanLoss: 0.693147,
        waitingFor,
      },
    },
  };
}

export const SCORES: EpochScores = EpochScores.create({
  epoch: 1,
  split: 'val',
  samplesSeen: 128,
  truePositives: 3,
  falsePositives: 1,
  trueNegatives: 40,
  falseNegatives: 0,
  lossAll: 0.25,
  precision: 0.75,
  recall: 1,
  f1: 6 / 7,
  f2: 15 / 16,
  f05: 15 / 19,
  rocAuc: 0.975,
});

export function scoresEvent(scores: Partial<EpochScores> = {}): WatchRunResponse {
  return { event: { $case: 'scores', value: { ...SCORES, ...scores } } };
}

export function runOf(changes: Partial<Run> = {}): Run {
  return Run.create({
    runId: RUN_ID,
    runFolder: `/runs/${RUN_ID}`,
    state: RunState.FINISHED,
    startedAt: TIME,
    scores: [{ ...SCORES, split: 'trn', recall: 0.5 }, SCORES],
    bestEpoch: 1,
    ...changes,
  });
}
