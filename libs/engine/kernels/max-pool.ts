// Max pool of any window and stride and its gradient, channels last and a multiple of 4. What lies outside the input takes
// no part. The first of equals wins.

@unmanaged
export class MaxPoolArguments {
  /** `[samples][depth][height][width][channels]` */
  input: usize;
  depth: i32;
  height: i32;
  width: i32;
  channels: i32;
  /** `[samples][outDepth][outHeight][outWidth][channels]`: the maxima, or their gradient. */
  output: usize;
  outDepth: i32;
  outHeight: i32;
  outWidth: i32;
  windowDepth: i32;
  windowHeight: i32;
  windowWidth: i32;
  strideDepth: i32;
  strideHeight: i32;
  strideWidth: i32;
  padFront: i32;
  padTop: i32;
  padLeft: i32;
  /** Like the input; every task fills its sample. For `maxPoolGradient` only. */
  inputGradient: usize;
  /** Room for 32 bytes: four maxima and the offsets of their places. */
  largest: usize;
}

/** Maxima of one window and four channels, and their offsets in bytes from the sample's start, to `a.largest`. */
function findLargest(a: MaxPoolArguments, sample: usize, plane: i32, row: i32, column: i32): void {
  const step = (<usize>a.channels) << 2;
  const planeEnd = min(plane + a.windowDepth, a.depth);
  const rowEnd = min(row + a.windowHeight, a.height);
  const columnEnd = min(column + a.windowWidth, a.width);
  let largest = f32x4.splat(-Infinity);
  let place = i32x4.splat(-1);
  for (let d = max(plane, 0); d < planeEnd; d++) {
    for (let h = max(row, 0); h < rowEnd; h++) {
      for (let w = max(column, 0); w < columnEnd; w++) {
        const offset = <usize>((d * a.height + h) * a.width + w) * step;
        const value = v128.load(sample + offset);
        const larger = v128.or(f32x4.gt(value, largest), i32x4.eq(place, i32x4.splat(-1)));
        largest = v128.bitselect(value, largest, larger);
        place = v128.bitselect(i32x4.splat(<i32>offset), place, larger);
      }
    }
  }
  v128.store(a.largest, largest);
  v128.store(a.largest, place, 16);
}

function poolPlane(a: MaxPoolArguments, sample: usize, plane: i32, output: usize): void {
  const step = (<usize>a.channels) << 2;
  for (let row = 0; row < a.outHeight; row++) {
    for (let column = 0; column < a.outWidth; column++) {
      for (let channel: usize = 0; channel < step; channel += 16) {
        findLargest(
          a,
          sample + channel,
          plane * a.strideDepth - a.padFront,
          row * a.strideHeight - a.padTop,
          column * a.strideWidth - a.padLeft,
        );
        v128.store(output + channel, v128.load(a.largest));
      }
      output += step;
    }
  }
}

function sampleBytes(a: MaxPoolArguments): usize {
  return (<usize>(a.depth * a.height * a.width * a.channels)) << 2;
}

function outputPlaneBytes(a: MaxPoolArguments): usize {
  return (<usize>(a.outHeight * a.outWidth * a.channels)) << 2;
}

/** Task: an output plane of a sample. */
export function maxPool(a: MaxPoolArguments, task: i32): void {
  const sample = a.input + <usize>(task / a.outDepth) * sampleBytes(a);
  poolPlane(a, sample, task % a.outDepth, a.output + task * outputPlaneBytes(a));
}

function addLane(gradient: usize, place: i32, value: f32): void {
  const to = gradient + <usize>place;
  store<f32>(to, load<f32>(to) + value);
}

function scatterPlane(a: MaxPoolArguments, sample: usize, plane: i32, output: usize, gradient: usize): void {
  const step = (<usize>a.channels) << 2;
  for (let row = 0; row < a.outHeight; row++) {
    for (let column = 0; column < a.outWidth; column++) {
      for (let channel: usize = 0; channel < step; channel += 16) {
        findLargest(
          a,
          sample + channel,
          plane * a.strideDepth - a.padFront,
          row * a.strideHeight - a.padTop,
          column * a.strideWidth - a.padLeft,
        );
        const to = gradient + channel;
        addLane(to, load<i32>(a.largest, 16), load<f32>(output + channel));
        addLane(to + 4, load<i32>(a.largest, 20), load<f32>(output + channel, 4));
        addLane(to + 8, load<i32>(a.largest, 24), load<f32>(output + channel, 8));
        addLane(to + 12, load<i32>(a.largest, 28), load<f32>(output + channel, 12));
      }
      output += step;
    }
  }
}

/** Task: a sample. */
export function maxPoolGradient(a: MaxPoolArguments, task: i32): void {
  const bytes = sampleBytes(a);
  const sample = a.input + task * bytes;
  const gradient = a.inputGradient + task * bytes;
  memory.fill(gradient, 0, bytes);
  for (let plane = 0; plane < a.outDepth; plane++) {
    const output = a.output + <usize>(task * a.outDepth + plane) * outputPlaneBytes(a);
    scatterPlane(a, sample, plane, output, gradient);
  }
}
