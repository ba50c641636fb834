import { createHash } from 'node:crypto';
import type { InitialWeights } from '@lunastream/contracts';
import { encodeSafetensors } from '@lunastream/engine';
import { CommandError } from './errors.ts';
import type { LearningOptions } from './learning-options.ts';
import { readWeightsFile } from './trained-model.ts';

/** Weights for a run to start from: what its settings say of them, and what is sent beside. */
export interface StartWeights {
  readonly settings: InitialWeights;
  /** Safetensors, the model's tensors alone. */
  readonly file: Uint8Array;
}

/** A trainer takes requests up to 1 MiB; the settings have the rest. */
const LARGEST_FILE_BYTES = 2 ** 20 - 2 ** 15;

/**
 * Reads what --weights names; undefined without it.
 * @throws CommandError when the file is missing, damaged or too large, or --new-head comes without one.
 */
export async function readStartWeights({
  weights: path,
  newHead: wantsNewHead,
}: Pick<LearningOptions, 'weights' | 'newHead'>): Promise<StartWeights | undefined> {
  const newHead = wantsNewHead === true;
  if (path === undefined) {
    if (newHead)
      throw new CommandError('Cannot take a new head: name the weights of the rest with --weights');
    return undefined;
  }
  const weights = await readWeightsFile(path);
  const kept = newHead ? weights.filter(({ name }) => !name.startsWith('head_linear.')) : weights;
  const file = encodeSafetensors({ tensors: kept, metadata: {} });
  if (file.length > LARGEST_FILE_BYTES) {
    throw new CommandError(
      `Cannot start from ${path}: its weights must take at most ${LARGEST_FILE_BYTES} bytes, got ${file.length}`,
    );
  }
  return { settings: { sha256: createHash('sha256').update(file).digest('hex'), newHead }, file };
}
