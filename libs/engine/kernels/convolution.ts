// Dense convolution of any kernel size and stride over an input whose zero border is already there, channels last.
import { TileRows, tileRow } from './register-tile';

/** Strides in bytes. */
@unmanaged
export class ConvolutionArguments extends TileRows {
  input: usize;
  /** From one output position's inputs to those of the position one sample, plane or row on. */
  inputSample: usize;
  inputPlane: usize;
  inputRow: usize;
  /** `[outputs / 8, rounded up][kernel row][input][8]`, zero beyond the last output channel. */
  weights: usize;
  /** Bytes of the weights of 8 output channels. */
  weightBlock: usize;
  /** One per output channel, rounded up to 8. */
  bias: usize;
  /** 0 for a ReLU, -Infinity for none. */
  floor: f32;
  output: usize;
  outputSample: usize;
  outputPlane: usize;
  outputRow: usize;
  outputStep: usize;
  depth: i32;
  height: i32;
  width: i32;
  channels: i32;
  /** Room for one row of 8 channels, used when `channels` is no multiple of 8. */
  partialRow: usize;
}

function copyChannels(from: usize, to: usize, toStep: usize, channels: i32, count: i32): void {
  for (let position = 0; position < count; position++) {
    memory.copy(to, from, (<usize>channels) << 2);
    from += 32;
    to += toStep;
  }
}

function convolvePlane(a: ConvolutionArguments, input: usize, output: usize): void {
  const floor = f32x4.splat(a.floor);
  for (let row = 0; row < a.height; row++) {
    let weights = a.weights;
    for (let channel = 0; channel < a.channels; channel += 8) {
      const to = output + ((<usize>channel) << 2);
      const bias = a.bias + ((<usize>channel) << 2);
      if (channel + 8 <= a.channels) {
        tileRow(a, input, a.width, weights, bias, floor, to, a.outputStep);
      } else {
        tileRow(a, input, a.width, weights, bias, floor, a.partialRow, 32);
        copyChannels(a.partialRow, to, a.outputStep, a.channels - channel, a.width);
      }
      weights += a.weightBlock;
    }
    input += a.inputRow;
    output += a.outputRow;
  }
}

/** Task: one output plane of one sample. */
export function convolve(a: ConvolutionArguments, task: i32): void {
  const sample = task / a.depth;
  const plane = task % a.depth;
  convolvePlane(
    a,
    a.input + sample * a.inputSample + plane * a.inputPlane,
    a.output + sample * a.outputSample + plane * a.outputPlane,
  );
}

/** All planes of one sample; the task has no meaning. */
export function convolveVolume(a: ConvolutionArguments): void {
  for (let plane = 0; plane < a.depth; plane++) {
    convolvePlane(a, a.input + plane * a.inputPlane, a.output + plane * a.outputPlane);
  }
}
