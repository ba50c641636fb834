import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Metadata } from '@grpc/grpc-js';
import { CHAPTER_AUGMENTATION } from '@lunastream/augmentation';
import { LocalStack } from '@lunastream/cli';
import { RunSettings, TrainingServiceClient, type RunStatus } from '@lunastream/contracts';
import { generatePhantom } from '@lunastream/phantom';
import { callUnary, createClient, readStream } from '@lunastream/service-kit';
import { voxelCount } from '@lunastream/volume';
import { median } from './measure.ts';
import { rawBytesPerSecond } from './raw-grpc.ts';
import type { Suite, SuiteOptions } from './suite.ts';

interface StreamOptions extends SuiteOptions {
  readonly samples: number;
  readonly rounds: number;
}

const CHUNK_SHAPE = { depth: 32, height: 48, width: 48 };
const SAMPLE_BYTES = voxelCount(CHUNK_SHAPE) * Float32Array.BYTES_PER_ELEMENT;
/** Of a sample's message: ordinal, shape, checksum, tags and lengths. */
const MESSAGE_OVERHEAD_BYTES = 48;
/** As many streams at a time as the trainer leases from one worker. */
const RAW_STREAMS = 2;
/** Samples that the CPU engine trains per epoch where its waiting is measured: some seconds. */
const TRAINED_SAMPLES = 640;
const START_TIMEOUT_MS = 120_000;
const BYTES_PER_MB = 1e6;

/** What is asked of a run that is measured. */
interface MeasuredRun {
  readonly engine: string;
  readonly augmented: boolean;
  readonly epochLength: number;
  readonly epochs: number;
}

/** How fast do samples reach the engine? */
export const streamSuite: Suite<StreamOptions> = {
  name: 'stream',
  question:
    'samples a second from workers into batches: bare, augmented, against raw grpc-js, and while a CPU trains',
  addOptions: (command) =>
    command
      .option('--samples <count>', 'samples of a round', Number, 4_000)
      .option('--rounds <count>', 'rounds, raw grpc-js in between', Number, 3),
  async run({ samples, rounds }) {
    const folder = await mkdtemp(join(tmpdir(), 'lunastream-bench-stream-'));
    try {
      const { outDir: data } = await generatePhantom({
        outDir: join(folder, 'data'),
        background: 'synthetic',
        seed: 1,
        scanCount: 2,
        nodulesPerScan: 4,
        negativesPerNodule: 15,
      });
      return await measure({ folder, data, samples, rounds });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

interface Place {
  readonly folder: string;
  readonly data: string;
  readonly samples: number;
  readonly rounds: number;
}

async function measure(place: Place) {
  const raw: number[] = [];
  const wire: number[] = [];
  const ratios: number[] = [];
  const wireRun = { engine: 'sink', augmented: false, epochLength: place.samples, epochs: 1 };
  const one = await withStack(place, 1, async (stack) => {
    // The first fills caches and warms up compilers.
    await samplesPerSecond(stack, wireRun);
    for (let round = 0; round < place.rounds; round++) {
      const messageBytes = SAMPLE_BYTES + MESSAGE_OVERHEAD_BYTES;
      raw.push(await rawBytesPerSecond({ messageBytes, streams: RAW_STREAMS }));
      wire.push(await samplesPerSecond(stack, wireRun));
      ratios.push((wire.at(-1)! * messageBytes) / raw.at(-1)!);
    }
    const augmented = await augmentedSamplesPerSecond(stack, place);
    const trained = { engine: 'simd', augmented: true, epochLength: TRAINED_SAMPLES, epochs: 2 };
    const { stallFraction } = await run(stack, trained, () => undefined);
    return { wire: median(wire), augmented, stallFraction };
  });
  const two = await withStack(place, 2, async (stack) => {
    await samplesPerSecond(stack, wireRun);
    const rates: number[] = [];
    while (rates.length < place.rounds) rates.push(await samplesPerSecond(stack, wireRun));
    return { wire: median(rates), augmented: await augmentedSamplesPerSecond(stack, place) };
  });
  return {
    wire_samples_per_second: one.wire,
    wire_megabytes_per_second: (one.wire * SAMPLE_BYTES) / BYTES_PER_MB,
    raw_grpc_megabytes_per_second: median(raw) / BYTES_PER_MB,
    ratio_to_raw: median(ratios),
    augmented_samples_per_second: one.augmented,
    stall_fraction: one.stallFraction,
    scaling: [one, two].map(({ wire: rate, augmented }, index) => ({
      workers: index + 1,
      wire_samples_per_second: rate,
      augmented_samples_per_second: augmented,
    })),
  };
}

async function withStack<Value>(
  { folder, data }: Place,
  workerCount: number,
  use: (stack: LocalStack) => Promise<Value>,
): Promise<Value> {
  const stack = await LocalStack.start({
    datasets: { default: data },
    workerCount,
    runsFolder: join(folder, 'runs'),
    stateFolder: join(folder, 'state'),
    trainerPort: 0,
    environment: {},
    onRestart: (sentence) => {
      throw new Error(sentence);
    },
  });
  try {
    return await use(stack);
  } finally {
    await stack.stop();
  }
}

async function augmentedSamplesPerSecond(stack: LocalStack, { samples, rounds }: Place): Promise<number> {
  const rates: number[] = [];
  const augmentedRun = { engine: 'sink', augmented: true, epochLength: samples / 2, epochs: 1 };
  while (rates.length < rounds) rates.push(await samplesPerSecond(stack, augmentedRun));
  return median(rates);
}

/** Rate of training samples between the first and the last progress of a run's epoch. */
async function samplesPerSecond(stack: LocalStack, measured: MeasuredRun): Promise<number> {
  const told: { readonly atMs: number; readonly doneSamples: number }[] = [];
  await run(stack, measured, (split, doneSamples) => {
    if (split === 'trn' && doneSamples > 0) told.push({ atMs: performance.now(), doneSamples });
  });
  const [first, last] = [told[0]!, told.at(-1)!];
  return (1000 * (last.doneSamples - first.doneSamples)) / (last.atMs - first.atMs);
}

/** Runs to the end; tells progress as it comes. */
async function run(
  stack: LocalStack,
  { engine, augmented, epochLength, epochs }: MeasuredRun,
  onProgress: (split: string, doneSamples: number) => void,
): Promise<RunStatus> {
  const client = createClient(TrainingServiceClient, stack.addresses.trainer);
  const settings = RunSettings.fromPartial({
    dataset: 'default',
    batchSize: 32,
    epochs,
    ratio: 1,
    epochLength,
    ...(augmented ? { augmentation: CHAPTER_AUGMENTATION, margin: true } : {}),
    tbPrefix: 'bench',
    comment: 'stream',
    seed: 1,
    chunkShape: CHUNK_SHAPE,
    learningRate: 0.001,
    momentum: 0.99,
    engine,
    threshold: 0.5,
  });
  try {
    const { runId } = await callUnary(
      client.startRun.bind(client),
      { settings, initialWeights: Buffer.alloc(0) },
      { metadata: new Metadata(), timeoutMs: START_TIMEOUT_MS },
    );
    let status: RunStatus | undefined;
    for await (const { event } of readStream(client.watchRun({ runId }))) {
      if (event?.$case === 'progress') onProgress(event.value.split, event.value.doneSamples);
      if (event?.$case === 'status') status = event.value;
    }
    if (status === undefined || status.message !== '') throw new Error(`the run failed: ${status?.message}`);
    return status;
  } finally {
    client.close();
  }
}
