/**
 * Convolution and max pool in float64, one multiplication after the other: what kernels are compared with. Arrays are
 * `[samples, depth, height, width, channels]`, filters `[depth, height, width, in, out]`, C order.
 */

export type Sides = readonly [depth: number, height: number, width: number];

export interface ReferenceShape {
  readonly samples: number;
  readonly input: Sides;
  readonly output: Sides;
  readonly filter: Sides;
  readonly strides: Sides;
  /** Positions of the border before each axis. */
  readonly padding: Sides;
  readonly inputs: number;
  readonly outputs: number;
}

const volume = ([depth, height, width]: Sides) => depth * height * width;

function* positions([depth, height, width]: Sides): Generator<Sides> {
  for (let d = 0; d < depth; d++) {
    for (let h = 0; h < height; h++) {
      for (let w = 0; w < width; w++) yield [d, h, w];
    }
  }
}

const indexIn = ([, height, width]: Sides, [d, h, w]: Sides) => (d * height + h) * width + w;

/** Every pair of an output position and a tap whose input lies inside: indices of position, tap and input. */
function* meetings(shape: ReferenceShape): Generator<readonly [output: number, tap: number, input: number]> {
  for (const at of positions(shape.output)) {
    for (const tap of positions(shape.filter)) {
      const input = at.map((side, axis) => side * shape.strides[axis]! + tap[axis]! - shape.padding[axis]!);
      if (input.some((side, axis) => side < 0 || side >= shape.input[axis]!)) continue;
      yield [
        indexIn(shape.output, at),
        indexIn(shape.filter, tap),
        indexIn(shape.input, input as unknown as Sides),
      ];
    }
  }
}

type Numbers = ArrayLike<number>;

/** Calls `multiply` with the indices (x, filter, y) of each product of a convolution. */
function forEachProduct(
  shape: ReferenceShape,
  multiply: (x: number, filter: number, y: number) => void,
): void {
  const { samples, inputs, outputs } = shape;
  for (const [position, tap, from] of meetings(shape)) {
    for (let sample = 0; sample < samples; sample++) {
      const x = (sample * volume(shape.input) + from) * inputs;
      const y = (sample * volume(shape.output) + position) * outputs;
      for (let input = 0; input < inputs; input++) {
        for (let output = 0; output < outputs; output++) {
          multiply(x + input, (tap * inputs + input) * outputs + output, y + output);
        }
      }
    }
  }
}

export function referenceConvolution(shape: ReferenceShape, x: Numbers, filter: Numbers): Float64Array {
  const y = new Float64Array(shape.samples * volume(shape.output) * shape.outputs);
  forEachProduct(shape, (atX, atFilter, atY) => (y[atY]! += x[atX]! * filter[atFilter]!));
  return y;
}

export function referenceInputGradient(shape: ReferenceShape, dy: Numbers, filter: Numbers): Float64Array {
  const dx = new Float64Array(shape.samples * volume(shape.input) * shape.inputs);
  forEachProduct(shape, (atX, atFilter, atY) => (dx[atX]! += dy[atY]! * filter[atFilter]!));
  return dx;
}

export function referenceFilterGradient(shape: ReferenceShape, x: Numbers, dy: Numbers): Float64Array {
  const gradient = new Float64Array(volume(shape.filter) * shape.inputs * shape.outputs);
  forEachProduct(shape, (atX, atFilter, atY) => (gradient[atFilter]! += x[atX]! * dy[atY]!));
  return gradient;
}

/** Maxima, and the index of each in `x`: the first of equals. `inputs` are the channels; `outputs` has no meaning. */
export function referenceMaxPool(
  shape: ReferenceShape,
  x: Numbers,
): { maxima: Float64Array; places: Int32Array } {
  const { samples, inputs: channels } = shape;
  const size = samples * volume(shape.output) * channels;
  const maxima = new Float64Array(size).fill(-Infinity);
  const places = new Int32Array(size).fill(-1);
  for (const [position, , from] of meetings(shape)) {
    for (let index = 0; index < samples * channels; index++) {
      const [sample, channel] = [Math.floor(index / channels), index % channels];
      const to = (sample * volume(shape.output) + position) * channels + channel;
      const place = (sample * volume(shape.input) + from) * channels + channel;
      if (!(x[place]! > maxima[to]!)) continue;
      maxima[to] = x[place]!;
      places[to] = place;
    }
  }
  return { maxima, places };
}
