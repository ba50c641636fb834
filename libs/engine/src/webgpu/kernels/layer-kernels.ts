/** What LunaModel has besides convolutions and pools: the head, its loss, and the normalisation's two parameters. */
import type { LossSettings } from '../../loss.ts';
import { CLASS_COUNT } from '../../luna-model.ts';
import type { GpuKernel, Storage } from './gpu-kernel.ts';

/** Of the last pool's output, `[samples, positions, channels]`; features count channel by channel, as in PyTorch. */
export interface HeadGeometry {
  readonly samples: number;
  readonly positions: number;
  readonly channels: number;
}

const THREADS = 64;
const int = (name: string, value: number) => ({ name, type: 'int32' as const, data: [value] });
const float = (name: string, value: number) => ({ name, type: 'float32' as const, data: [value] });
const featuresOf = ({ positions, channels }: HeadGeometry) => positions * channels;

/** Logits `[samples, classes]`. Reads `x` and `head`, weights `[classes, features]` and then biases. */
export function headKernel(geometry: HeadGeometry): GpuKernel {
  const { samples, positions, channels } = geometry;
  return {
    key: 'head',
    inputs: [
      ['x', 1],
      ['head', 1],
    ],
    output: { shape: [samples, CLASS_COUNT], components: 1 },
    uniforms: [int('positions', positions), int('channels', channels), int('samples', samples)],
    threads: THREADS,
    workgroups: samples,
    groupSum: 'vec2<f32>',
    code: `
fn main(thread: i32) {
  let sample = groupIndex();
  let features = uniforms.positions * uniforms.channels;
  var sum = vec2<f32>(0.0);
  if (sample < uniforms.samples) {
    for (var index = laneIndex(); index < features; index += ${THREADS}) {
      let feature = (index % uniforms.channels) * uniforms.positions + index / uniforms.channels;
      sum += xAt(sample * features + index) * vec2<f32>(head[feature], head[features + feature]);
    }
  }
  let total = sumOfGroup(sum);
  if (laneIndex() == 0 && sample < uniforms.samples) {
    result[sample * 2] = total.x + head[2 * features];
    result[sample * 2 + 1] = total.y + head[2 * features + 1];
  }
}`,
  };
}

/** Derivative of the batch's mean loss by the logits: `sampleLoss` of loss.ts in float32. Reads `logits` and `labels`. */
export function lossGradientKernel(
  samples: number,
  { positiveWeight, focusing, batchSamples }: LossSettings & { readonly batchSamples: number },
): GpuKernel {
  return {
    key: 'loss-gradient',
    inputs: [
      ['logits', 1],
      ['labels', 1],
    ],
    output: { shape: [samples, CLASS_COUNT], components: 1 },
    uniforms: [
      int('samples', samples),
      float('batchSamples', batchSamples),
      float('positiveWeight', positiveWeight),
      float('focusing', focusing),
    ],
    threads: THREADS,
    workgroups: Math.ceil(samples / THREADS),
    code: `
fn focalSlope(ofClass: f32, ofOther: f32, loss: f32) -> f32 {
  if (uniforms.focusing == 0.0) { return ofOther; }
  return pow(ofOther, uniforms.focusing) * (ofOther + uniforms.focusing * ofClass * loss);
}
fn main(thread: i32) {
  if (thread >= uniforms.samples) { return; }
  let margin = logits[thread * 2 + 1] - logits[thread * 2];
  let label = labels[thread];
  let tail = exp(-abs(margin));
  let smallLoss = log(1.0 + tail);
  let probability = select(tail, 1.0, margin >= 0.0) / (1.0 + tail);
  let others = select(1.0, tail, margin >= 0.0) / (1.0 + tail);
  var slope = probability - label;
  if (uniforms.focusing != 0.0 || uniforms.positiveWeight != 1.0) {
    slope = (1.0 - label) * focalSlope(others, probability, smallLoss + max(margin, 0.0))
      - uniforms.positiveWeight * label * focalSlope(probability, others, smallLoss + max(-margin, 0.0));
  }
  slope /= uniforms.batchSamples;
  result[thread * 2] = -slope;
  result[thread * 2 + 1] = slope;
}`,
  };
}

/** Gradient of `head`, laid out like it; reads `x` and `slopes` `[samples, classes]`, and sums sample by sample. */
export function headGradientKernel(geometry: HeadGeometry): GpuKernel {
  const { samples, positions, channels } = geometry;
  const length = CLASS_COUNT * (featuresOf(geometry) + 1);
  return {
    key: 'head-gradient',
    inputs: [
      ['x', 1],
      ['slopes', 1],
    ],
    output: { shape: [length], components: 1 },
    uniforms: [int('samples', samples), int('positions', positions), int('channels', channels)],
    threads: THREADS,
    workgroups: Math.ceil(length / THREADS),
    code: `
fn main(thread: i32) {
  let features = uniforms.positions * uniforms.channels;
  if (thread >= 2 * features + 2) { return; }
  var sum = 0.0;
  if (thread >= 2 * features) {
    for (var sample = 0; sample < uniforms.samples; sample++) { sum += slopes[sample * 2 + thread - 2 * features]; }
  } else {
    let feature = thread % features;
    let index = (feature % uniforms.positions) * uniforms.channels + feature / uniforms.positions;
    for (var sample = 0; sample < uniforms.samples; sample++) {
      sum += slopes[sample * 2 + thread / features] * xAt(sample * features + index);
    }
  }
  result[thread] = sum;
}`,
  };
}

/** Gradient of `x`, laid out like it; reads `slopes` and `head`. */
export function featureGradientKernel(geometry: HeadGeometry): GpuKernel {
  const { samples, positions, channels } = geometry;
  const length = samples * featuresOf(geometry);
  return {
    key: 'feature-gradient',
    inputs: [
      ['slopes', 1],
      ['head', 1],
    ],
    output: { shape: [samples, positions, channels], components: 1 },
    uniforms: [int('length', length), int('positions', positions), int('channels', channels)],
    threads: THREADS,
    workgroups: Math.ceil(length / THREADS),
    code: `
fn main(thread: i32) {
  if (thread >= uniforms.length) { return; }
  let features = uniforms.positions * uniforms.channels;
  let sample = thread / features;
  let index = thread % features;
  let feature = (index % uniforms.channels) * uniforms.positions + index / uniforms.channels;
  result[thread] = slopes[sample * 2] * head[feature] + slopes[sample * 2 + 1] * head[features + feature];
}`,
  };
}

/**
 * Gradient of the first convolution's parameters and of the scale and shift before it, `[filter, bias, scale, shift]`. Reads
 * `sums` (`filterGradientKernel` with `ones` and `bias`, summed: against the normalised input and against ones) and
 * `weights`, laid out like the result. No gradient of the input is needed: with x = scale · n + shift inside and 0 outside, the
 * filter's is scale · (that against n) + shift · (that against ones), and the scale's the filter's product with that against n.
 */
export function firstLayerGradientKernel(taps: number, outputs: number): GpuKernel {
  const filter = taps * outputs;
  const bias = filter + outputs;
  return {
    key: `first-layer-gradient-${taps}-${outputs}`,
    inputs: [
      ['sums', 1],
      ['weights', 1],
    ],
    output: { shape: [bias + 2], components: 1 },
    uniforms: [int('length', bias + 2)],
    threads: THREADS,
    workgroups: Math.ceil((bias + 2) / THREADS),
    code: `
fn against(index: i32, channel: i32) -> f32 {
  return sums[((index / ${outputs}) * 2 + channel) * ${outputs} + index % ${outputs}];
}
fn main(thread: i32) {
  if (thread >= uniforms.length) { return; }
  var value = 0.0;
  if (thread < ${filter}) {
    value = weights[${bias}] * against(thread, 0) + weights[${bias + 1}] * against(thread, 1);
  } else if (thread < ${bias}) {
    value = sums[${2 * filter} + thread - ${filter}];
  } else {
    for (var index = 0; index < ${filter}; index++) { value += weights[index] * against(index, thread - ${bias}); }
  }
  result[thread] = value;
}`,
  };
}

/** The values of `x`, in fours and of `shape`, however they are stored. */
export function storeKernel(shape: readonly number[], storage: Storage): GpuKernel {
  const count = shape.reduce((product, side) => product * side, 1) / 4;
  return {
    key: 'store',
    inputs: [['x', 4]],
    output: { shape, components: 4, storage },
    uniforms: [int('count', count)],
    threads: THREADS,
    workgroups: Math.ceil(count / THREADS),
    code: `
fn main(thread: i32) {
  if (thread < uniforms.count) { setResult(thread, xAt(thread)); }
}`,
  };
}

export function copyKernel(length: number): GpuKernel {
  return {
    key: 'copy',
    inputs: [['x', 1]],
    output: { shape: [length], components: 1 },
    uniforms: [int('length', length)],
    threads: THREADS,
    workgroups: Math.ceil(length / THREADS),
    code: `
fn main(thread: i32) {
  if (thread < uniforms.length) { result[thread] = x[thread]; }
}`,
  };
}
