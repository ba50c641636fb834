/**
 * What every format's header comes down to: a geometry, an encoding, and where the voxels' bytes lie. The length of the
 * data is checked here against the header before anything of that length is allocated: a header may claim any size.
 */
import { formatShape, voxelCount } from './coordinates.ts';
import { elementSizeBytes, type Encoding } from './element-type.ts';
import { BadImageError } from './errors.ts';
import type { VolumeGeometry } from './geometry.ts';
import type { ByteSource } from './sources/byte-source.ts';

/** A range of a file that exists. */
export interface DataRange {
  readonly source: ByteSource;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Voxels as they are, in files of equal length; or one zlib or gzip stream with `skippedBytes` before the voxels in it. */
export type StoredData =
  | { readonly kind: 'plain'; readonly parts: readonly DataRange[] }
  | { readonly kind: 'compressed'; readonly range: DataRange; readonly skippedBytes: number };

export interface StoredVolume {
  /** The header's place, as it was asked for. */
  readonly path: string;
  /** Identifies the header: as stored, or what a reader uses of one that may name the patient. */
  readonly headerText: string;
  readonly geometry: VolumeGeometry;
  readonly encoding: Encoding;
  readonly data: StoredData;
  /** Every file that was opened, for closing. */
  readonly sources: readonly ByteSource[];
}

/** A header's claim, with its own words for messages. */
export interface Claim {
  readonly geometry: VolumeGeometry;
  readonly encoding: Encoding;
  /** Header fields as the format spells them. */
  readonly sizeField: string;
  readonly typeField: string;
  readonly typeName: string;
}

/** Bytes of all voxels, uncompressed. */
export function voxelsSizeBytes({ geometry, encoding }: Pick<Claim, 'geometry' | 'encoding'>): number {
  return voxelCount(geometry.shape) * elementSizeBytes(encoding.elementType);
}

// Deflate expands at most 1032-fold (zlib's technical details, "Maximum Compression Factor").
const LARGEST_INFLATION = 1032;
// What is read whole must fit memory: 2^30 voxels are 4,096 slices of 512 x 512, more than any chest CT has.
const MOST_RESIDENT_VOXELS = 2 ** 30;

function expectation(claim: Claim, partCount = 1): string {
  const each = partCount === 1 ? '' : ` in each of ${partCount} files`;
  const bytes = voxelsSizeBytes(claim) / partCount;
  return `${formatShape(claim.geometry.shape)} voxels of ${claim.typeName} need ${bytes} bytes${each}`;
}

function lengthFault(claim: Claim, source: ByteSource, rule: string): BadImageError {
  return new BadImageError(rule, { path: source.name, field: claim.sizeField, part: 'data' });
}

/** Where in each data file its voxels are: from `startBytes` to its end, or its last bytes, not before `startBytes`. */
export interface Placement {
  readonly startBytes: number;
  readonly isAtEnd: boolean;
}

/** The voxels of a `claim` in `sources`, which share them equally. @throws BadImageError when a file's length is wrong. */
export function placePlainData(
  claim: Claim,
  sources: readonly ByteSource[],
  { startBytes, isAtEnd }: Placement,
): StoredData {
  const sizeBytes = voxelsSizeBytes(claim) / sources.length;
  const parts = sources.map((source) => {
    const available = source.sizeBytes - startBytes;
    const isRight = isAtEnd ? available >= sizeBytes : available === sizeBytes;
    if (!isRight) {
      const words = `${claim.sizeField} (width height depth)`;
      const advice =
        available < sizeBytes
          ? `the data are truncated, or ${words} or ${claim.typeField} is wrong`
          : `${words}, ${claim.typeField} or the place of the data is wrong`;
      const got = Math.max(0, available);
      throw lengthFault(claim, source, `${expectation(claim, sources.length)}, got ${got}: ${advice}`);
    }
    return { source, offsetBytes: source.sizeBytes - sizeBytes, sizeBytes };
  });
  return { kind: 'plain', parts };
}

/** The compressed voxels of a `claim` in `range`. @throws BadImageError when so few bytes cannot hold them, or too many. */
export function placeCompressedData(claim: Claim, range: DataRange, skippedBytes = 0): StoredData {
  const needed = voxelsSizeBytes(claim) + skippedBytes;
  if (needed > range.sizeBytes * LARGEST_INFLATION) {
    throw lengthFault(
      claim,
      range.source,
      `${expectation(claim)}, and ${range.sizeBytes} compressed bytes cannot hold so many: ${claim.sizeField} is wrong`,
    );
  }
  if (voxelCount(claim.geometry.shape) > MOST_RESIDENT_VOXELS) {
    throw lengthFault(
      claim,
      range.source,
      `compressed data must have at most ${MOST_RESIDENT_VOXELS} voxels, got ${formatShape(claim.geometry.shape)}`,
    );
  }
  return { kind: 'compressed', range, skippedBytes };
}

/** A header's meaning as text. It stands in for headers that may also name the patient. */
export function canonicalHeaderText({ geometry, encoding }: Pick<Claim, 'geometry' | 'encoding'>): string {
  const { shape, originXyzMm, spacingXyzMm, direction } = geometry;
  const { elementType, isBigEndian, rescale } = encoding;
  return JSON.stringify([
    formatShape(shape),
    originXyzMm,
    spacingXyzMm,
    direction,
    elementType,
    isBigEndian,
    rescale,
  ]);
}
