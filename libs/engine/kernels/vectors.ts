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

@unmanaged
export class MomentumArguments {
  learningRate: f64;
  momentum: f64;
  values: usize;
  velocities: usize;
  gradients: usize;
  length: i32;
  taskLength: i32;
}

/** As stepMomentumSgd() in momentum-sgd.ts, bit for bit. */
export function stepMomentum(a: MomentumArguments, task: i32): void {
  const end = (<usize>min((task + 1) * a.taskLength, a.length)) << 2;
  for (let at = (<usize>(task * a.taskLength)) << 2; at < end; at += 4) {
    const velocity = <f32>(a.momentum * <f64>load<f32>(a.velocities + at) + <f64>load<f32>(a.gradients + at));
    store<f32>(a.velocities + at, velocity);
    store<f32>(a.values + at, <f32>(<f64>load<f32>(a.values + at) - a.learningRate * <f64>velocity));
  }
}
