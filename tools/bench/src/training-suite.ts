import { createEngine, engineNames, type Batch } from '@lunastream/engine';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { parseShape, voxelCount, type Shape } from '@lunastream/volume';
import { InvalidArgumentError, Option } from 'commander';
import { medianMs } from './measure.ts';
import { runPeer, runTfjsPeer, type TfjsFigures } from './peer.ts';
import type { Figure, Figures, Suite, SuiteOptions } from './suite.ts';
import { healthWhileTraining } from './trainer-health.ts';

interface TrainingOptions extends SuiteOptions {
  readonly engine: string;
  readonly batch: readonly number[];
  readonly chunk: string;
  readonly threads?: number;
  readonly health: boolean;
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
      .option('--no-health', 'do not train in a real trainer and ask it for its health meanwhile'),
  async run({ engine: name, batch: counts, chunk, threads, health, peer, python }) {
    const settings = { name, chunk, ...(threads === undefined ? {} : { threads }) };
    const all: Figures[] = [];
    for (const count of counts) {
      const figures = await measureEngine(settings, count);
      const told = {
        ...figures,
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
}

/** Medians of one batch size, on a fresh engine. */
async function measureEngine({ name, chunk, threads }: MeasuredEngine, count: number) {
  const chunkShape = parseShape(chunk);
  const { engine } = await createEngine({
    engine: name,
    chunkShape,
    learningRate: 0.001,
    momentum: 0.99,
    runSeed: 1,
    ...(threads === undefined ? {} : { threads }),
  });
  if (engine.name === 'webgpu' && engine.device.includes('(on the CPU)')) {
    engine.dispose();
    throw new Error(`Cannot measure engine webgpu: it needs a GPU, got ${engine.device}`);
  }
  const batch = makeBatch(count, chunkShape);
  const rounds = { rounds: 5, minRoundMs: 0 };
  const trainMs = await medianMs(() => engine.trainBatch(batch), rounds);
  const evaluateMs = await medianMs(() => engine.evaluateBatch(batch), rounds);
  engine.dispose();
  const samplesPerSecond = (1000 * count) / trainMs;
  const operations = 2 * PASSES_OF_TRAINING * forwardMultiplyAdds(chunkShape);
  return {
    engine: engine.name,
    device: engine.device,
    batch: count,
    samples_per_second: samplesPerSecond,
    forward_samples_per_second: (1000 * count) / evaluateMs,
    gflops: (operations * samplesPerSecond) / 1e9,
    threads: engine.threads ?? 1,
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  };
}

/** The bare wasm backend takes a second and more for a sample: as many are enough. */
const WASM_BATCH = 4;
const WASM_ROUNDS = 2;

interface OwnFigures {
  readonly engine: string;
  readonly device: string;
  readonly samples_per_second: number;
  readonly threads: number;
  readonly peak_rss_mb: number;
}

/** The same model in PyTorch, and in tfjs on its wasm and its native backend: one after the other, on as many threads. */
async function measurePeers(
  own: OwnFigures,
  { chunk, batch, python }: { readonly chunk: string; readonly batch: number; readonly python: string },
): Promise<Figures> {
  const shared = ['--chunk', chunk, '--threads', String(own.threads)];
  const args = [...shared, '--batch', String(batch)];
  // The same device: PyTorch on CUDA beside an engine on a GPU, in plain float32 and once more with TF32's short products.
  const onGpu = own.engine === 'webgpu' || (own.engine === 'tensorflow' && own.device.includes('on a GPU'));
  const torchArgs = onGpu ? [...args, '--device', 'cuda'] : args;
  const torch = await runPeer('train_torch.py', { python, args: torchArgs });
  const tf32 = onGpu
    ? await runPeer('train_torch.py', { python, args: [...torchArgs, '--tf32'] })
    : undefined;
  const wasmBatch = Math.min(batch, WASM_BATCH);
  const wasmArgs = [...shared, '--batch', String(wasmBatch), '--rounds', String(WASM_ROUNDS)];
  const wasm = await runTfjsPeer(['--backend', 'wasm', ...wasmArgs]);
  const native = await runTfjsPeer(['--backend', 'tensorflow', ...args]);
  return {
    peer: `PyTorch ${torch.version}`,
    peer_samples_per_second: Number(torch.samples_per_second),
    peer_forward_samples_per_second: Number(torch.forward_samples_per_second),
    peer_peak_rss_mb: Number(torch.peak_rss_mb),
    ...(tf32 === undefined
      ? {}
      : {
          peer_device: String(torch.device),
          peer_tf32_samples_per_second: Number(tf32.samples_per_second),
          ratio_to_peer_tf32: own.samples_per_second / Number(tf32.samples_per_second),
        }),
    ratio_to_peer: own.samples_per_second / Number(torch.samples_per_second),
    peak_rss_ratio_to_peer: own.peak_rss_mb / Number(torch.peak_rss_mb),
    tfjs_wasm_batch: wasmBatch,
    ...tfjsFigures('tfjs_wasm', own, wasm),
    ...tfjsFigures('tfjs_node', own, native),
  };
}

function tfjsFigures(name: string, own: OwnFigures, peer: TfjsFigures): Figures {
  if ('missing' in peer) return { [name]: `not measured: ${peer.missing}` };
  return {
    [`${name}_samples_per_second`]: peer.samples_per_second,
    [`${name}_peak_rss_mb`]: peer.peak_rss_mb,
    [`ratio_to_${name}`]: own.samples_per_second / peer.samples_per_second,
  };
}
