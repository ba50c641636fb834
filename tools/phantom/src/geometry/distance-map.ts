/**
 * Exact Euclidean distance transform of a 3-D mask on an anisotropic grid: Felzenszwalb and Huttenlocher, "Distance
 * transforms of sampled functions", Theory of Computing 8 (2012) 415-428. The lower envelope of parabolas is taken along
 * columns, then rows, then indices; time is linear in the number of voxels.
 */
import type { Shape } from '@lunastream/volume';

// Stands for "no target on this line yet". Finite, so that differences of two of them are 0 and not NaN.
const FAR = 1e20;

/** Scratch of one line of up to `length` voxels, kept between lines. */
class LineTransform {
  readonly values: Float64Array;
  readonly #result: Float64Array;
  readonly #apexes: Int32Array;
  readonly #starts: Float64Array;

  constructor(length: number) {
    this.values = new Float64Array(length);
    this.#result = new Float64Array(length);
    this.#apexes = new Int32Array(length);
    this.#starts = new Float64Array(length + 1);
  }

  /** Replaces `values[0..length)` by min over q of values[q] + (spacing * (p - q))^2, and returns the result. */
  run(length: number, spacing: number): Float64Array {
    const { values } = this;
    const squared = spacing * spacing;
    let last = 0;
    this.#apexes[0] = 0;
    this.#starts[0] = -FAR;
    this.#starts[1] = FAR;
    for (let position = 1; position < length; position++) {
      let start = this.#crossing(position, this.#apexes[last]!, squared);
      while (start <= this.#starts[last]!) {
        last--;
        start = this.#crossing(position, this.#apexes[last]!, squared);
      }
      last++;
      this.#apexes[last] = position;
      this.#starts[last] = start;
      this.#starts[last + 1] = FAR;
    }
    let parabola = 0;
    for (let position = 0; position < length; position++) {
      while (this.#starts[parabola + 1]! < position) parabola++;
      const apex = this.#apexes[parabola]!;
      this.#result[position] = Math.min(FAR, squared * (position - apex) ** 2 + values[apex]!);
    }
    return this.#result;
  }

  /** Where the parabola with its apex at `right` gets below the one at `left`. */
  #crossing(right: number, left: number, squared: number): number {
    const difference = this.values[right]! - this.values[left]!;
    return difference / (2 * squared * (right - left)) + (right + left) / 2;
  }
}

function transformAxis(squaredMm: Float32Array, lines: AxisLines, scratch: LineTransform): void {
  const { length, stride, spacing } = lines;
  for (const origin of lines.origins()) {
    let isEmpty = true;
    for (let position = 0; position < length; position++) {
      const value = squaredMm[origin + position * stride]!;
      scratch.values[position] = value;
      if (value < FAR) isEmpty = false;
    }
    if (isEmpty) continue;
    const result = scratch.run(length, spacing);
    for (let position = 0; position < length; position++) {
      squaredMm[origin + position * stride] = result[position]!;
    }
  }
}

interface AxisLines {
  readonly length: number;
  readonly stride: number;
  readonly spacing: number;
  origins(): Iterable<number>;
}

function axisLines(shape: Shape, spacingIrcMm: readonly [number, number, number]): AxisLines[] {
  const { depth, height, width } = shape;
  const slice = height * width;
  return [
    {
      length: width,
      stride: 1,
      spacing: spacingIrcMm[2],
      *origins() {
        for (let line = 0; line < depth * height; line++) yield line * width;
      },
    },
    {
      length: height,
      stride: width,
      spacing: spacingIrcMm[1],
      *origins() {
        for (let line = 0; line < depth * width; line++) {
          yield Math.floor(line / width) * slice + (line % width);
        }
      },
    },
    {
      length: depth,
      stride: slice,
      spacing: spacingIrcMm[0],
      *origins() {
        for (let line = 0; line < slice; line++) yield line;
      },
    },
  ];
}

/**
 * For every voxel the distance in mm between its centre and the centre of the nearest voxel where `mask` equals
 * `target`; 0 on those, Infinity everywhere when there is none. The world outside the box holds no target.
 * @param mask 0 or 1 per voxel, shape [depth, height, width], C order; not changed.
 */
export function distanceToMm(
  mask: Uint8Array,
  target: 0 | 1,
  grid: { readonly shape: Shape; readonly spacingIrcMm: readonly [number, number, number] },
): Float32Array {
  const far = Math.fround(FAR);
  const distances = new Float32Array(mask.length);
  for (let offset = 0; offset < mask.length; offset++) distances[offset] = mask[offset] === target ? 0 : far;
  const { depth, height, width } = grid.shape;
  const scratch = new LineTransform(Math.max(depth, height, width));
  for (const lines of axisLines(grid.shape, grid.spacingIrcMm)) transformAxis(distances, lines, scratch);
  for (let offset = 0; offset < distances.length; offset++) {
    const squared = distances[offset]!;
    distances[offset] = squared >= far / 2 ? Infinity : Math.sqrt(squared);
  }
  return distances;
}
