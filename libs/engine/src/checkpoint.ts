/** A model, its optimizer and where training stood, as one safetensors file that PyTorch can read too. */
import { createHash } from 'node:crypto';
import type { ModelState } from './engine.ts';
import { CorruptCheckpointError } from './errors.ts';
import { hashState } from './model-state.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Where training stood. */
export interface CheckpointMetadata {
  /** Epochs completed. */
  readonly epoch: number;
  /** Training samples shown so far. */
  readonly samplesSeen: number;
  readonly runSeed: number;
  /** The run's settings, for the record and for resuming. */
  readonly settings: JsonValue;
}

/** What is done of the epoch after the completed ones, by ordinal from 0 on. */
export interface EpochProgress {
  /** P(nodule) of the samples trained, each before its step. */
  readonly probabilities: Float32Array;
  /** Their losses, as many. */
  readonly losses: Float32Array;
}

export interface Checkpoint {
  readonly state: ModelState;
  readonly metadata: CheckpointMetadata;
  /** Present in a checkpoint that was made within an epoch. */
  readonly progress?: EpochProgress | undefined;
}

/** Raise when older programs could misread the file. */
const FORMAT_VERSION = '1';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const PROBABILITIES = 'progress.probabilities';
const LOSSES = 'progress.losses';

function toTensors({ probabilities, losses }: EpochProgress): ModelState {
  return [
    { name: PROBABILITIES, shape: [probabilities.length], values: probabilities },
    { name: LOSSES, shape: [losses.length], values: losses },
  ];
}

/** Equal input gives equal bytes. The file holds `hashState(state)`, and a digest of its metadata. */
export function encodeCheckpoint({ state, metadata, progress }: Checkpoint): Uint8Array<ArrayBuffer> {
  const strings = {
    format_version: FORMAT_VERSION,
    epoch: String(metadata.epoch),
    samples_seen: String(metadata.samplesSeen),
    run_seed: String(metadata.runSeed),
    settings: JSON.stringify(metadata.settings),
    state_sha256: hashState(state),
    ...(progress === undefined ? {} : { progress_sha256: hashState(toTensors(progress)) }),
  };
  const signed = { ...strings, metadata_sha256: sha256(JSON.stringify(strings)) };
  const tensors = progress === undefined ? state : [...state, ...toTensors(progress)];
  return encodeSafetensors({ tensors, metadata: signed });
}

/**
 * The checkpoint in `file`, copied out of it.
 * @throws CorruptCheckpointError when the file is cut off, altered, of another format version or not a checkpoint.
 */
export function decodeCheckpoint(file: Uint8Array): Checkpoint {
  const { tensors, metadata: signed } = decodeSafetensors(file);
  const { metadata_sha256: expected, ...strings } = signed;
  const version = strings['format_version'];
  if (version !== FORMAT_VERSION) {
    throw new CorruptCheckpointError(`format_version must be ${FORMAT_VERSION}`, version ?? 'none');
  }
  const actual = sha256(JSON.stringify(strings));
  if (actual !== expected) {
    throw new CorruptCheckpointError(`its metadata must have SHA-256 ${expected ?? '(none stored)'}`, actual);
  }
  const { state, progress } = splitTensors(tensors, strings['progress_sha256']);
  const stateHash = hashState(state);
  if (stateHash !== strings['state_sha256']) {
    throw new CorruptCheckpointError(`its tensors must have SHA-256 ${strings['state_sha256']}`, stateHash);
  }
  const metadata = {
    epoch: Number(strings['epoch']),
    samplesSeen: Number(strings['samples_seen']),
    runSeed: Number(strings['run_seed']),
    settings: JSON.parse(strings['settings'] ?? 'null') as JsonValue,
  };
  return { state, metadata, ...(progress === undefined ? {} : { progress }) };
}

/** Tells a model's tensors from those of an epoch's progress, where `progressHash` says that there are some. */
function splitTensors(
  tensors: ModelState,
  progressHash: string | undefined,
): { readonly state: ModelState; readonly progress?: EpochProgress } {
  if (progressHash === undefined) return { state: tensors };
  const [probabilities, losses] = tensors.slice(-2);
  const isProgress = probabilities?.name === PROBABILITIES && losses?.name === LOSSES;
  const actual = isProgress ? hashState([probabilities, losses]) : 'none';
  if (actual !== progressHash) {
    throw new CorruptCheckpointError(`its progress must have SHA-256 ${progressHash}`, actual);
  }
  return {
    state: tensors.slice(0, -2),
    progress: { probabilities: probabilities!.values, losses: losses!.values },
  };
}
