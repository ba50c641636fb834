/** What all threads must know about the batch at hand: BatchRecord of kernels/sample.ts. */
import type { SharedMemory } from './shared-memory.ts';

export interface BatchFields {
  /** Input statistics in HU: a voxel is normalised to (voxel - mean) · inverseDeviation. */
  readonly mean: number;
  readonly inverseDeviation: number;
  /** The normalisation's parameters. */
  readonly scale: number;
  readonly shift: number;
  /** Every sample's weight in the loss. */
  readonly weight: number;
  /** The loss that is trained. */
  readonly positiveWeight: number;
  readonly focusing: number;
  /** Addresses for the job's first sample; float32 all. */
  readonly voxels: number;
  readonly labels: number;
  readonly losses: number;
  readonly probabilities: number;
  /** One sample's gradients after the other's, `gradientBytes` each; 0 where there are none. */
  readonly gradients: number;
  readonly gradientBytes: number;
}

const DOUBLES = [
  ...(['mean', 'inverseDeviation', 'scale', 'shift', 'weight'] as const),
  ...(['positiveWeight', 'focusing'] as const),
] as const;
const INTEGERS = ['voxels', 'labels', 'losses', 'probabilities', 'gradients', 'gradientBytes'] as const;

export const BATCH_RECORD_BYTES = 8 * DOUBLES.length + 4 * INTEGERS.length;

export function writeBatchRecord(memory: SharedMemory, address: number, fields: BatchFields): void {
  const doubles = memory.doubles(address, DOUBLES.length);
  for (const [index, name] of DOUBLES.entries()) doubles[index] = fields[name];
  const integers = memory.integers(address + doubles.byteLength, INTEGERS.length);
  for (const [index, name] of INTEGERS.entries()) integers[index] = fields[name];
}
