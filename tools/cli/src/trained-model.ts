import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Labels } from '@lunastream/dataset';
import {
  createEngine,
  readSafetensorsMetadata,
  readWeights,
  withWeights,
  type Engine,
  type ModelTensor,
} from '@lunastream/engine';
import type { BorderRule, Shape } from '@lunastream/volume';
import { CommandError } from './errors.ts';
import { readRunRecord, type RunRecord } from './run-record.ts';
import { toldByWeights } from './weights-metadata.ts';

/** Which model to load. */
export interface ModelChoice {
  /** A run's folder… */
  readonly run?: string;
  readonly checkpoint: 'best' | 'last';
  /** …or a safetensors file with PyTorch's names, and the size of its samples. */
  readonly weights?: string;
  readonly chunk: Shape;
  readonly engine: string;
  readonly threads?: number;
}

/** The weights of a model, and how samples for it are made. */
export interface ModelFile {
  readonly path: string;
  readonly weights: readonly ModelTensor[];
  readonly chunkShape: Shape;
  readonly border: BorderRule;
  readonly threshold: number;
  readonly inputNormalisation: RunRecord['settings']['learning']['inputNormalisation'];
  /** What it tells apart. */
  readonly labels: Labels;
  /** Where it was trained, when it was trained here. */
  readonly record: RunRecord | undefined;
}

const DEFAULT_THRESHOLD = 0.5;
/** Samples that are computed together: as large as memory of a few cores likes. */
export const EVALUATION_BATCH = 32;

/**
 * Reads the model that the flags name.
 * @throws CommandError when none or two are named, or the file is missing or damaged.
 */
export async function readModel({ run, weights, checkpoint, chunk }: ModelChoice): Promise<ModelFile> {
  if ((run === undefined) === (weights === undefined)) {
    throw new CommandError(
      'Cannot load a model: name a run with --run, or a safetensors file with --weights',
    );
  }
  if (run === undefined) {
    const bytes = await readModelFile(weights!);
    const tensors = refuseAsBadInput(weights!, () => readWeights(bytes));
    const told = toldByWeights(readSafetensorsMetadata(bytes));
    return {
      path: weights!,
      weights: tensors,
      chunkShape: chunk,
      border: told.border ?? 'shift',
      threshold: DEFAULT_THRESHOLD,
      inputNormalisation: told.inputNormalisation ?? 'batch',
      labels: told.labels ?? 'nodule',
      record: undefined,
    };
  }
  const record = await readRunRecord(run);
  const path = join(run, 'checkpoints', `${checkpoint}.safetensors`);
  const { chunkShape, border, threshold, learning, labels } = record.settings;
  return {
    path,
    weights: await readWeightsFile(path),
    chunkShape,
    border,
    threshold,
    inputNormalisation: learning.inputNormalisation,
    labels,
    record,
  };
}

/** The weights in a safetensors file. @throws CommandError when it is missing or damaged. */
export async function readWeightsFile(path: string): Promise<ModelTensor[]> {
  const bytes = await readModelFile(path);
  return refuseAsBadInput(path, () => readWeights(bytes));
}

function readModelFile(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new CommandError(`Cannot load a model: there is no ${path}`, undefined, { cause });
  });
}

/** The engine names what does not fit; the file that it came from is ours to tell. */
function refuseAsBadInput<Value>(path: string, work: () => Value): Value {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`Cannot use ${path}: ${reason}`, undefined, { cause });
  }
}

/**
 * An engine with the model's weights, for forward passes; the caller disposes of it.
 * @throws CommandError when the weights are not those of LunaModel at this chunk shape.
 */
export async function startModel(
  { path, weights, chunkShape, inputNormalisation }: ModelFile,
  { engine: name, threads }: Pick<ModelChoice, 'engine' | 'threads'>,
): Promise<Engine> {
  const { engine } = await createEngine({
    engine: name,
    chunkShape,
    inputNormalisation,
    // Of no effect: nothing is trained.
    learningRate: 0.001,
    momentum: 0,
    runSeed: 0,
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const fresh = await engine.exportState();
    await engine.importState(refuseAsBadInput(path, () => withWeights(fresh, weights)));
    return engine;
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

/** P(nodule) and loss of samples, in the order in which they came. */
export interface SampleScores {
  readonly probabilities: Float32Array;
  readonly losses: Float32Array;
}

/**
 * Computes `count` chunks that `readChunk` gives, a batch at a time. Chunks are [depth, height, width] in HU.
 * @throws the signal's reason when it aborts.
 */
export async function scoreChunks(
  engine: Engine,
  {
    count,
    labelOf,
    readChunk,
    onProgress,
    signal,
  }: {
    readonly count: number;
    readonly labelOf: (index: number) => number;
    readonly readChunk: (index: number) => Promise<Int16Array>;
    readonly onProgress: (done: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<SampleScores> {
  const probabilities = new Float32Array(count);
  const losses = new Float32Array(count);
  for (let first = 0; first < count; first += EVALUATION_BATCH) {
    signal.throwIfAborted();
    const indices = Array.from({ length: Math.min(EVALUATION_BATCH, count - first) }, (_, k) => first + k);
    const chunks = await Promise.all(indices.map(readChunk));
    const voxels = chunks[0]!.length;
    const voxelsHu = new Float32Array(voxels * chunks.length);
    chunks.forEach((chunk, place) => voxelsHu.set(chunk, place * voxels));
    const labels = Float32Array.from(indices, labelOf);
    const result = await engine.evaluateBatch({ voxelsHu, labels, count: chunks.length });
    probabilities.set(result.probabilities, first);
    losses.set(result.losses, first);
    onProgress(first + chunks.length);
  }
  return { probabilities, losses };
}
