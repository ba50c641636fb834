/** The safetensors file that a run starts from, which came with its request or lies in its folder. */
import { createHash } from 'node:crypto';
import {
  CorruptCheckpointError,
  ModelStateMismatchError,
  readWeights,
  withNewHead,
  withWeights,
  type Engine,
} from '@lunastream/engine';
import type { InitialWeights } from './initial-weights.ts';
import { RunSettingsError } from './run-settings.ts';

/**
 * `file` where it is the one that the settings speak of; undefined where they speak of none.
 * @throws RunSettingsError when it is another one, missing, or not spoken of.
 */
export function checkStartWeights(
  weights: InitialWeights | undefined,
  file: Uint8Array,
): Uint8Array | undefined {
  if (weights === undefined) {
    if (file.length === 0) return undefined;
    throw new RunSettingsError(['settings must name the initial weights that are sent, got none']);
  }
  const sha256 = createHash('sha256').update(file).digest('hex');
  if (sha256 === weights.sha256) return file;
  const got = file.length === 0 ? 'none' : sha256;
  throw new RunSettingsError([`the initial weights must have SHA-256 ${weights.sha256}, got ${got}`]);
}

/**
 * Puts the weights of `file` into a fresh `engine`; its optimizer stays fresh.
 * @throws RunSettingsError naming the tensor that does not fit, or what is wrong with the file.
 */
export async function startFromWeights(
  engine: Engine,
  file: Uint8Array,
  { newHead }: InitialWeights,
): Promise<void> {
  const fresh = await engine.exportState();
  try {
    const weights = readWeights(file);
    await engine.importState(withWeights(fresh, newHead ? withNewHead(fresh, weights) : weights));
  } catch (error) {
    if (!(error instanceof CorruptCheckpointError || error instanceof ModelStateMismatchError)) throw error;
    throw new RunSettingsError([`initial weights: ${error.message}`]);
  }
}
