/** A CT with its lung marked, and the same on a grid of our choice: only the part round the lung, at a set spacing. */
import { irc, ircToXyz, xyzMm, type Volume } from '@lunastream/volume';
import type { BoxMask } from './lung-mask.ts';
import { boundingBox, copyBox, extentsOf, spacingIrcMm, type VoxelBox } from '../geometry/voxel-box.ts';

export interface MaskedScan {
  readonly volume: Volume;
  readonly lung: BoxMask;
}

// So that filters in the lung's box see a little of what is round it.
const RIM_VOXELS = 4;

type Triple = readonly [number, number, number];

/** `box` with `marginMm` more on every side, clipped to the volume. */
function withMargin({ geometry }: Volume, box: VoxelBox, marginMm: number): VoxelBox {
  const spacing = spacingIrcMm(geometry);
  const extents = extentsOf(geometry.shape);
  const sizes = extentsOf(box.shape);
  const margins = spacing.map((step) => Math.round(marginMm / step));
  const first = margins.map((margin, axis) => Math.max(0, box.start[axis]! - margin));
  const last = margins.map((margin, axis) =>
    Math.min(extents[axis]!, box.start[axis]! + sizes[axis]! + margin),
  );
  const [depth, height, width] = last.map((end, axis) => end - first[axis]!) as [number, number, number];
  return { start: first as [number, number, number], shape: { depth, height, width } };
}

/** Where the samples along one axis fall between the old voxels; positions are times `stride`. */
interface AxisSamples {
  readonly count: number;
  readonly before: Int32Array;
  readonly after: Int32Array;
  /** Weight of `after`. */
  readonly share: Float64Array;
}

function axisSamples(start: number, size: number, ratio: number, stride: number): AxisSamples {
  const count = Math.floor((size - 1) / ratio) + 1;
  const before = new Int32Array(count);
  const after = new Int32Array(count);
  const share = new Float64Array(count);
  for (let sample = 0; sample < count; sample++) {
    const position = sample * ratio;
    const low = Math.min(size - 1, Math.floor(position));
    before[sample] = (start + low) * stride;
    after[sample] = (start + Math.min(size - 1, low + 1)) * stride;
    share[sample] = position - low;
  }
  return { count, before, after, share };
}

/** Trilinear values at the product of three sets of samples, C order. */
function interpolate(
  voxels: Int16Array | Uint8Array,
  [indices, rows, columns]: readonly [AxisSamples, AxisSamples, AxisSamples],
): Float32Array {
  const values = new Float32Array(indices.count * rows.count * columns.count);
  let offset = 0;
  for (let index = 0; index < indices.count; index++) {
    const c = indices.share[index]!;
    for (let row = 0; row < rows.count; row++) {
      const b = rows.share[row]!;
      const lines = [
        indices.before[index]! + rows.before[row]!,
        indices.before[index]! + rows.after[row]!,
        indices.after[index]! + rows.before[row]!,
        indices.after[index]! + rows.after[row]!,
      ] as const;
      const weights = [(1 - c) * (1 - b), (1 - c) * b, c * (1 - b), c * b] as const;
      for (let column = 0; column < columns.count; column++) {
        const left = columns.before[column]!;
        const right = columns.after[column]!;
        const a = columns.share[column]!;
        let value = 0;
        for (let line = 0; line < 4; line++) {
          const origin = lines[line]!;
          value += weights[line]! * (voxels[origin + left]! * (1 - a) + voxels[origin + right]! * a);
        }
        values[offset++] = value;
      }
    }
  }
  return values;
}

/** The same mask in the smallest box with a rim of some voxels. `mask` is that of a whole volume. */
function tightened({ box, mask }: BoxMask): BoxMask {
  const tight = boundingBox(mask, box.shape, RIM_VOXELS) ?? box;
  return { box: tight, mask: copyBox(mask, box.shape, tight) };
}

/** A mask of the volume's full extent, 1 in the lung. */
function fullMask({ volume, lung }: MaskedScan): Uint8Array {
  const { height, width } = volume.geometry.shape;
  const { start, shape } = lung.box;
  const full = new Uint8Array(volume.voxelsHu.length);
  for (let index = 0; index < shape.depth; index++) {
    for (let row = 0; row < shape.height; row++) {
      const line = (index * shape.height + row) * shape.width;
      const to = ((start[0] + index) * height + start[1] + row) * width + start[2];
      full.set(lung.mask.subarray(line, line + shape.width), to);
    }
  }
  return full;
}

/**
 * The part of `scan` round its lung, with `marginMm` of what surrounds it, at `spacingMm` [index, row, column]: trilinear,
 * the mask's edge where the interpolated mask passes one half. Nothing is changed in place.
 */
export function resampleRoundLung(
  scan: MaskedScan,
  { spacingMm, marginMm }: { readonly spacingMm: Triple; readonly marginMm: number },
): MaskedScan {
  const { geometry, voxelsHu } = scan.volume;
  const { height, width } = geometry.shape;
  const box = withMargin(scan.volume, scan.lung.box, marginMm);
  const sizes = extentsOf(box.shape);
  const strides = [height * width, width, 1];
  const samples = spacingIrcMm(geometry).map((step, axis) =>
    axisSamples(box.start[axis]!, sizes[axis]!, spacingMm[axis]! / step, strides[axis]!),
  ) as [AxisSamples, AxisSamples, AxisSamples];
  const shape = { depth: samples[0].count, height: samples[1].count, width: samples[2].count };
  // Typed arrays' `from` with a function goes through an iterator: ten times slower than these loops.
  const shares = interpolate(fullMask(scan), samples);
  const mask = new Uint8Array(shares.length);
  for (let offset = 0; offset < mask.length; offset++) mask[offset] = shares[offset]! >= 0.5 ? 1 : 0;
  const values = interpolate(voxelsHu, samples);
  const resampled = new Int16Array(values.length);
  for (let offset = 0; offset < values.length; offset++) resampled[offset] = Math.round(values[offset]!);
  return {
    volume: {
      geometry: {
        shape,
        originXyzMm: ircToXyz(geometry, irc(...box.start)),
        spacingXyzMm: xyzMm(spacingMm[2], spacingMm[1], spacingMm[0]),
        direction: geometry.direction,
      },
      voxelsHu: resampled,
    },
    lung: tightened({ box: { start: [0, 0, 0], shape }, mask }),
  };
}
