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

export interface Checkpoint {
  readonly state: ModelState;
  readonly metadata: CheckpointMetadata;
}

/** Raise when older programs could misread the file. */
const FORMAT_VERSION = '1';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Equal input gives equal bytes. The file holds `hashState(state)`, and a digest of its metadata. */
export function encodeCheckpoint({ state, metadata }: Checkpoint): Uint8Array<ArrayBuffer> {
  const strings = {
    format_version: FORMAT_VERSION,
    epoch: String(metadata.epoch),
    samples_seen: String(metadata.samplesSeen),
    run_seed: String(metadata.runSeed),
    settings: JSON.stringify(metadata.settings),
    state_sha256: hashState(state),
  };
  const signed = { ...strings, metadata_sha256: sha256(JSON.stringify(strings)) };
  return encodeSafetensors({ tensors: state, metadata: signed });
}

/**
 * The checkpoint in `file`, copied out of it.
 * @throws CorruptCheckpointError when the file is cut off, altered, of another format version or not a checkpoint.
 */
export function decodeCheckpoint(file: Uint8Array): Checkpoint {
  const { tensors: state, metadata: signed } = decodeSafetensors(file);
  const { metadata_sha256: expected, ...strings } = signed;
  const version = strings['format_version'];
  if (version !== FORMAT_VERSION) {
    throw new CorruptCheckpointError(`format_version must be ${FORMAT_VERSION}`, version ?? 'none');
  }
  const actual = sha256(JSON.stringify(strings));
  if (actual !== expected) {
    throw new CorruptCheckpointError(`its metadata must have SHA-256 ${expected ?? '(none stored)'}`, actual);
  }
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
  return { state, metadata };
}
