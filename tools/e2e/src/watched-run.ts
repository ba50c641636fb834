import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import {
  BestScore,
  RunSettings,
  RunState,
  SplitRule,
  TrainingServiceClient,
  VoxelType,
  type BatchProgress,
  type WatchRunResponse,
} from '@lunastream/contracts';
import { callUnary, createClient, readStream, type ConnectOptions } from '@lunastream/service-kit';

/** Reading a data set's headers takes a while on a machine that is busy. */
const CALL_TIMEOUT_MS = 120_000;

/** A short run on the small data set: balanced, all five transforms, 50 training batches. */
export const RUN: RunSettings = {
  // Whatever is not said here has the default of its type.
  ...RunSettings.decode(new Uint8Array()),
  dataset: 'default',
  batchSize: 8,
  epochs: 1,
  ratio: 1,
  epochLength: 400,
  augmentation: {
    flip: true,
    offset: 0.1,
    scale: 0.2,
    rotate: true,
    noiseHu: 25,
    elasticVoxels: 0,
    huShift: 0,
    huScale: 0,
    mixupAlpha: 0,
  },
  tbPrefix: 'faults',
  comment: 'run',
  seed: 5,
  chunkShape: { depth: 16, height: 16, width: 16 },
  learningRate: 0.001,
  momentum: 0.99,
  engine: 'simd',
  threshold: 0.5,
  split: SplitRule.SERIES,
  score: BestScore.F1,
  margin: true,
  threads: 1,
  voxelType: VoxelType.FLOAT32,
};

/** Bytes of the voxels of one sample of `RUN`. */
export const SAMPLE_BYTES = 16 * 16 * 16 * 4;

/** What a run leaves that must not depend on what happened to it. */
export interface RunResult {
  readonly state: RunState;
  /** epochs.jsonl, every digit of every score. */
  readonly epochs: string;
  /** SHA-256 of weights and optimizer at the end. */
  readonly stateSha256: string;
}

/** A run on a trainer, and everything that it tells. */
export class WatchedRun {
  readonly runId: string;
  readonly folder: string;
  readonly #client: TrainingServiceClient;
  readonly #events: WatchRunResponse[] = [];
  readonly #ended: Promise<RunState>;
  readonly #wakes = new Set<() => void>();

  private constructor(client: TrainingServiceClient, runId: string, folder: string) {
    this.#client = client;
    this.runId = runId;
    this.folder = folder;
    this.#ended = this.#watch();
    this.#ended.catch(() => undefined);
  }

  /** Starts a run, or goes on with `settings.resumeRunId`. */
  static async start(
    trainerAddress: string,
    settings: RunSettings = RUN,
    connect: ConnectOptions = {},
  ): Promise<WatchedRun> {
    const client = createClient(TrainingServiceClient, trainerAddress, connect);
    const { runId, runFolder } = await callUnary(
      client.startRun.bind(client),
      { settings, initialWeights: Buffer.alloc(0) },
      { metadata: new Metadata(), timeoutMs: CALL_TIMEOUT_MS },
    );
    return new WatchedRun(client, runId, runFolder);
  }

  /** Texts of the log so far. */
  get lines(): string[] {
    return this.#events.flatMap(({ event }) => (event?.$case === 'logLine' ? [event.value.text] : []));
  }

  /** How often progress was told. */
  get progressCount(): number {
    return this.#events.filter(({ event }) => event?.$case === 'progress').length;
  }

  /** Epoch of the latest progress. */
  get latestEpoch(): number {
    const progress = this.#events.flatMap(({ event }) =>
      event?.$case === 'progress' ? [event.value.epoch] : [],
    );
    return progress.at(-1) ?? 0;
  }

  /** Waits for an event; those that came before count. Rejects when the run ends, or its trainer, without it. */
  async event(accepts: (event: NonNullable<WatchRunResponse['event']>) => boolean): Promise<void> {
    let next = 0;
    const end = { isThere: false };
    const onEnd = () => {
      end.isThere = true;
      this.#wakeAll();
    };
    this.#ended.then(onEnd, onEnd);
    for (;;) {
      for (; next < this.#events.length; next++) {
        const { event } = this.#events[next]!;
        if (event !== undefined && accepts(event)) return;
      }
      if (end.isThere) throw new Error(`the run ended before that\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => this.#wakes.add(resolve));
    }
  }

  /** Waits for progress that `accepts`. */
  progress(accepts: (progress: BatchProgress) => boolean): Promise<void> {
    return this.event((event) => event.$case === 'progress' && accepts(event.value));
  }

  /** What it left, once it ended. Rejects when the trainer goes away. */
  async result(): Promise<RunResult> {
    const state = await this.#ended;
    return {
      state,
      epochs: await readFile(join(this.folder, 'epochs.jsonl'), 'utf8'),
      stateSha256: (await this.checkpoint())['state_sha256']!,
    };
  }

  /** Metadata of the last checkpoint. */
  checkpoint(): Promise<Record<string, string>> {
    return readCheckpointMetadata(join(this.folder, 'checkpoints/last.safetensors'));
  }

  async stop(): Promise<void> {
    await callUnary(
      this.#client.stopRun.bind(this.#client),
      { runId: this.runId },
      { metadata: new Metadata(), timeoutMs: CALL_TIMEOUT_MS },
    );
  }

  /** Closes the connection to the trainer. */
  close(): void {
    this.#client.close();
  }

  #wakeAll(): void {
    for (const wake of this.#wakes) wake();
    this.#wakes.clear();
  }

  async #watch(): Promise<RunState> {
    let state: RunState = RunState.UNSPECIFIED;
    for await (const response of readStream(this.#client.watchRun({ runId: this.runId }))) {
      this.#events.push(response);
      if (response.event?.$case === 'status') state = response.event.value.state;
      this.#wakeAll();
    }
    return state;
  }
}

/** The `__metadata__` of a safetensors file. */
async function readCheckpointMetadata(path: string): Promise<Record<string, string>> {
  const bytes = await readFile(path);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, headerEnd).toString('utf8')) as {
    __metadata__: Record<string, string>;
  };
  return header.__metadata__;
}
