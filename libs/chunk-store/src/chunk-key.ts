import { hash } from 'node:crypto';
import { BORDER_RULES, CHUNK_HU_RANGE, formatShape, type ChunkExtent, type XyzMm } from '@lunastream/volume';

/** Raise when the meaning of stored bytes changes (how a rule cuts, their layout): old entries are then never read. */
const FORMAT_VERSION = 3;

/** Everything that decides the voxels of a chunk. */
export interface ChunkIdentity {
  /** Changes whenever a header or candidate list of the data set changes. */
  readonly datasetFingerprint: string;
  readonly seriesUid: string;
  /** Changes whenever a file of the scan does. */
  readonly seriesRevision: string;
  readonly centerXyzMm: XyzMm;
  readonly extent: ChunkExtent;
}

/** A short key that differs whenever any part of `identity` differs: SHA-256 in hexadecimal. */
export function chunkKey({ centerXyzMm, extent, ...of }: ChunkIdentity): string {
  const shapes = [extent.shape, extent.grownShape].map(formatShape);
  const { minimum, maximum } = CHUNK_HU_RANGE;
  const rules = [extent.border ?? BORDER_RULES[0], minimum, maximum];
  const { datasetFingerprint, seriesUid, seriesRevision } = of;
  const scan = [datasetFingerprint, seriesUid, seriesRevision];
  const parts = [FORMAT_VERSION, ...scan, [...centerXyzMm], ...shapes, ...rules];
  return hash('sha256', JSON.stringify(parts));
}
