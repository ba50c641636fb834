import { createEngine, engineNames, type Batch } from '@lunastream/engine';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { parseShape, voxelCount, type Shape } from '@lunastream/volume';
import { InvalidArgumentError, Option } from 'commander';
import { medianStepMs } from './measure.ts';
import type { Figure, Figures, Suite, SuiteOptions } from './suite.ts';
import { healthWhileTraining } from './trainer-health.ts';
import { ceilingFigures } from './training-ceiling.ts';
import { measurePeers } from './training-peers.ts';

interface TrainingOptions extends SuiteOptions {
  readonly engine: string;
  readonly batch: readonly number[];
  readonly chunk: string;
  readonly threads?: number;
  readonly health: boolean;
  readonly onCpu?: true;
}

/** Channels of the four blocks of LunaModel, the input's before them. */
const CHANNELS = [1, 8, 16, 32, 64] as const;
const KERNEL_VOXELS = 27;
/** A training step: forward, gradient of the input, gradient of the kernels; the first layer's input needs none. */
const PASSES_OF_TRAINING = 3;

/** Multiply-adds of the eight convolutions for one sample, forward, computed densely. */
function forwardMultiplyAdds({ depth, height, width }: Shape): number {
  let sum = 0;
  for (let block = 0; block < 4; block++) {
    const voxels = (depth >> block) * (height >> block) * (width >> block);
    const [from, to] = [CHANNELS[block]!, CHANNELS[block + 1]!];
    sum += KERNEL_VOXELS * voxels * (from * to + to * to);
  }
  return sum;
}

function makeBatch(count: number, shape: Shape): Batch {
  const random = new RandomStream({ runSeed: 1, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return {
    voxelsHu: Float32Array.from({ length: count * voxelCount(shape) }, () =>
      random.uniformBetween(-1000, 400),
    ),
    labels: Uint8Array.from({ length: count }, (_, position) => position % 2),
    count,
  };
}

/** How fast does an engine train LunaModel? */
export const trainingSuite: Suite<TrainingOptions> = {
  name: 'training',
  question: 'samples that an engine trains, and evaluates, in a second: LunaModel',
  addOptions: (command) =>
    command
      .addOption(new Option('--engine <name>', 'engine').choices(['auto', ...engineNames()]).default('auto'))
      .option('--batch <samples>', 'samples of a batch; several as 32,128,512', parseBatches, [32])
      .option('--threads <count>', 'threads of the engine (default: cores)', Number)
      .option('--chunk <shape>', 'depth x height x width in voxels', '32x48x48')
      .option(
        '--on-cpu',
        'let an engine for GPUs compute on a CPU in its place: shows that it runs, nothing else',
      )
      .option('--no-health', 'do not train in a real trainer and ask it for its health meanwhile'),
  async run({ engine: name, batch: counts, chunk, threads, health, onCpu, peer, python }) {
    const settings = { name, chunk, onCpu: onCpu === true, ...(threads === undefined ? {} : { threads }) };
    const all: Figures[] = [];
    for (const count of counts) {
      const figures = await measureEngine(settings, count);
      const told = {
        ...figures,
        ...(await ceilingFigures(figures.engine, figures.gflops)),
        ...(health ? await healthWhileTraining({ engine: name, batch: count, chunk, threads }) : {}),
      };
      const peers = peer ? await measurePeers(figures, { chunk, batch: count, python }) : {};
      all.push({ ...told, ...peers });
    }
    return all.length === 1 ? all[0]! : { batches: all as Readonly<Record<string, Figure>>[] };
  },
};

function parseBatches(text: string): number[] {
  const counts = text.split(',').map(Number);
  const bad = counts.find((count) => !Number.isInteger(count) || count < 1);
  if (bad === undefined) return counts;
  throw new InvalidArgumentError(`batches are whole numbers above 0, separated by commas, got ${text}`);
}

interface MeasuredEngine {
  readonly name: string;
  readonly chunk: string;
  readonly threads?: number;
  /** Whether a CPU may take a GPU's place. */
  readonly onCpu: boolean;
}

/** Said beside figures of a CPU in a GPU's place. */
const NO_GPU = 'a CPU in the place of a GPU: says nothing of speed';

/** Medians of one batch size, on a fresh engine. */
async function measureEngine({ name, chunk, threads, onCpu }: MeasuredEngine, count: number) {
  const chunkShape = parseShape(chunk);
  const { engine } = await createEngine({
    engine: name,
    chunkShape,
    learningRate: 0.001,
    momentum: 0.99,
    runSeed: 1,
    ...(threads === undefined ? {} : { threads }),
  });
  const isInPlaceOfGpu = engine.name === 'webgpu' && engine.device.includes('(on the CPU)');
  if (isInPlaceOfGpu && !onCpu) {
    engine.dispose();
    throw new Error(`Cannot measure engine webgpu: it needs a GPU, got ${engine.device}`);
  }
  const batch = makeBatch(count, chunkShape);
  const trainMs = await medianStepMs(() => engine.trainBatch(batch));
  const evaluateMs = await medianStepMs(() => engine.evaluateBatch(batch));
  const memoryMb = (await engine.memoryBytes()) / 2 ** 20;
  engine.dispose();
  const samplesPerSecond = (1000 * count) / trainMs;
  const operations = 2 * PASSES_OF_TRAINING * forwardMultiplyAdds(chunkShape);
  return {
    engine: engine.name,
    device: engine.device,
    ...(isInPlaceOfGpu ? { caution: NO_GPU } : {}),
    batch: count,
    samples_per_second: samplesPerSecond,
    forward_samples_per_second: (1000 * count) / evaluateMs,
    gflops: (operations * samplesPerSecond) / 1e9,
    threads: engine.threads ?? 1,
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
    engine_memory_mb: memoryMb,
  };
}
