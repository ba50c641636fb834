import type { Shape } from '@lunastream/volume';

function kernelOf(sigmaVoxels: number): Float64Array {
  const radius = Math.max(1, Math.ceil(3 * sigmaVoxels));
  const kernel = new Float64Array(2 * radius + 1);
  let sum = 0;
  for (let step = -radius; step <= radius; step++) {
    const weight = Math.exp((-step * step) / (2 * sigmaVoxels * sigmaVoxels));
    kernel[step + radius] = weight;
    sum += weight;
  }
  return kernel.map((weight) => weight / sum);
}

/** How far, in voxels, `blurInPlace` carries a value along an axis of this sigma. */
export function blurRadiusVoxels(sigmaVoxels: number): number {
  return sigmaVoxels < MIN_SIGMA_VOXELS ? 0 : Math.max(1, Math.ceil(3 * sigmaVoxels));
}

// A narrower Gaussian puts less than 1e-5 of its weight on the neighbours.
const MIN_SIGMA_VOXELS = 0.2;

function blurLines(voxels: Float32Array, shape: Shape, axis: 0 | 1 | 2, kernel: Float64Array): void {
  const { depth, height, width } = shape;
  const length = [depth, height, width][axis]!;
  const stride = [height * width, width, 1][axis]!;
  const radius = (kernel.length - 1) / 2;
  const padded = new Float64Array(length + 2 * radius);
  const lineCount = voxels.length / length;
  for (let line = 0; line < lineCount; line++) {
    const origin = Math.floor(line / stride) * stride * length + (line % stride);
    for (let position = 0; position < padded.length; position++) {
      const clamped = Math.min(length - 1, Math.max(0, position - radius));
      padded[position] = voxels[origin + clamped * stride]!;
    }
    for (let position = 0; position < length; position++) {
      let sum = 0;
      for (let tap = 0; tap < kernel.length; tap++) sum += kernel[tap]! * padded[position + tap]!;
      voxels[origin + position * stride] = sum;
    }
  }
}

/**
 * Blurs `voxels` (C order) in place by a separable Gaussian, cut at three sigma and normalised to sum 1; the border is
 * repeated outward. An axis with sigma below 0.2 voxels is left alone.
 */
export function blurInPlace(
  voxels: Float32Array,
  shape: Shape,
  sigmaVoxelsIrc: readonly [number, number, number],
): void {
  for (const axis of [2, 1, 0] as const) {
    const sigma = sigmaVoxelsIrc[axis];
    if (sigma >= MIN_SIGMA_VOXELS) blurLines(voxels, shape, axis, kernelOf(sigma));
  }
}
