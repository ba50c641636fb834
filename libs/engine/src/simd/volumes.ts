/** How volumes `[depth][height][width][channels]` of float32 lie in memory. Steps and sizes in bytes. */

export const FLOAT_BYTES = 4;

export interface VolumeShape {
  readonly depth: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** From a position to its neighbour along each axis, and the first position that belongs to the data. */
export interface VolumeSteps {
  readonly plane: number;
  readonly row: number;
  readonly step: number;
  /** Offset of the first position inside the border; 0 without one. */
  readonly inner: number;
  /** Bytes of the whole volume. */
  readonly size: number;
}

export interface Volume extends VolumeShape, VolumeSteps {
  readonly address: number;
}

/** Kernels read up to a vector beyond the last value. */
const SLACK_BYTES = 16;

/** Dense, without a border. */
export function denseSteps({ depth, height, width, channels }: VolumeShape): VolumeSteps {
  const step = channels * FLOAT_BYTES;
  const row = width * step;
  const plane = height * row;
  return { step, row, plane, inner: 0, size: depth * plane };
}

/**
 * With a border of one position around, for 3x3x3 convolutions, and behind it one more along odd heights and widths,
 * so that 2x2 tiles cover the volume.
 */
export function borderedSteps({ depth, height, width, channels }: VolumeShape): VolumeSteps {
  const step = channels * FLOAT_BYTES;
  const row = (2 * Math.ceil(width / 2) + 2) * step;
  const plane = (2 * Math.ceil(height / 2) + 2) * row;
  return { step, row, plane, inner: plane + row + step, size: (depth + 2) * plane + SLACK_BYTES };
}

/** What a 2x2x2 max pool leaves: odd sides drop their last position. */
export function pooledShape({ depth, height, width, channels }: VolumeShape): VolumeShape {
  return { depth: depth >> 1, height: height >> 1, width: width >> 1, channels };
}
