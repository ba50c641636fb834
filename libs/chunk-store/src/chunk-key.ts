import { createHash } from 'node:crypto';
import { formatShape, type ChunkExtent, type XyzMm } from '@lunastream/volume';

/** Raise when the meaning of stored bytes changes (crop rule, HU range, layout): old entries are then never read. */
const FORMAT_VERSION = 2;

/** Everything that decides the voxels of a chunk. */
export interface ChunkIdentity {
  /** Changes whenever a scan or candidate list of the data set changes. */
  readonly datasetFingerprint: string;
  readonly seriesUid: string;
  readonly centerXyzMm: XyzMm;
  readonly extent: ChunkExtent;
}

/** A short key that differs whenever any part of `identity` differs: SHA-256 in hexadecimal. */
export function chunkKey({ datasetFingerprint, seriesUid, centerXyzMm, extent }: ChunkIdentity): string {
  const shapes = [extent.shape, extent.grownShape].map(formatShape);
  const parts = [FORMAT_VERSION, datasetFingerprint, seriesUid, [...centerXyzMm], ...shapes];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
