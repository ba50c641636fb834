// Work on whole arrays, cut into tasks of equal length.

/** Lengths in values. Task: `taskLength` of them, the last fewer. */
@unmanaged
export class ReduceArguments {
  /** `count` arrays, `stride` bytes apart. */
  parts: usize;
  count: i32;
  stride: usize;
  length: i32;
  taskLength: i32;
  to: usize;
  /** 1: add to what is there. */
  add: i32;
}

/** Element-wise sum of the parts, in their order. */
export function reduceParts(a: ReduceArguments, task: i32): void {
  const end = (<usize>min((task + 1) * a.taskLength, a.length)) << 2;
  for (let at = (<usize>(task * a.taskLength)) << 2; at < end; at += 4) {
    let sum: f32 = a.add ? load<f32>(a.to + at) : 0;
    let from = a.parts + at;
    for (let part = 0; part < a.count; part++) {
      sum += load<f32>(from);
      from += a.stride;
    }
    store<f32>(a.to + at, sum);
  }
}

/** One step of SGD. New values and velocities may replace the old ones or go elsewhere. */
@unmanaged
export class MomentumArguments {
  learningRate: f64;
  momentum: f64;
  /** Share of a value that is added to its gradient. */
  weightDecay: f64;
  /** Below 1 where gradients are clipped. */
  gradientScale: f64;
  values: usize;
  velocities: usize;
  gradients: usize;
  newValues: usize;
  newVelocities: usize;
  length: i32;
  taskLength: i32;
}

/** As stepSgd() in optimizers.ts, bit for bit. */
export function stepMomentum(a: MomentumArguments, task: i32): void {
  const end = (<usize>min((task + 1) * a.taskLength, a.length)) << 2;
  for (let at = (<usize>(task * a.taskLength)) << 2; at < end; at += 4) {
    const value = <f64>load<f32>(a.values + at);
    const gradient = a.gradientScale * <f64>load<f32>(a.gradients + at) + a.weightDecay * value;
    const velocity = <f32>(a.momentum * <f64>load<f32>(a.velocities + at) + gradient);
    store<f32>(a.newVelocities + at, velocity);
    store<f32>(a.newValues + at, <f32>(value - a.learningRate * <f64>velocity));
  }
}

/** One step of Adam, in place. */
@unmanaged
export class AdamArguments {
  /** Divided by the first moment's bias correction. */
  learningRate: f64;
  /** Share of the moments that a step keeps. */
  firstDecay: f64;
  secondDecay: f64;
  /** Bias correction of the second moment. */
  secondCorrection: f64;
  epsilon: f64;
  /** Adam: share of a value that is added to its gradient. */
  weightDecay: f64;
  /** AdamW: share of a value that stays. */
  kept: f64;
  /** Below 1 where gradients are clipped. */
  gradientScale: f64;
  values: usize;
  firstMoments: usize;
  secondMoments: usize;
  gradients: usize;
  length: i32;
  taskLength: i32;
}

/** As stepAdam() in optimizers.ts, bit for bit. */
export function stepAdam(a: AdamArguments, task: i32): void {
  const end = (<usize>min((task + 1) * a.taskLength, a.length)) << 2;
  for (let at = (<usize>(task * a.taskLength)) << 2; at < end; at += 4) {
    const value = <f64>load<f32>(a.values + at);
    const gradient = a.gradientScale * <f64>load<f32>(a.gradients + at) + a.weightDecay * value;
    const first = <f32>(a.firstDecay * <f64>load<f32>(a.firstMoments + at) + (1 - a.firstDecay) * gradient);
    const second = <f32>(
      (a.secondDecay * <f64>load<f32>(a.secondMoments + at) + (1 - a.secondDecay) * gradient * gradient)
    );
    store<f32>(a.firstMoments + at, first);
    store<f32>(a.secondMoments + at, second);
    const deviation = Math.sqrt(<f64>second / a.secondCorrection) + a.epsilon;
    store<f32>(a.values + at, <f32>(a.kept * value - (a.learningRate * <f64>first) / deviation));
  }
}
