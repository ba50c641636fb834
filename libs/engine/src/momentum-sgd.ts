/**
 * One step of SGD with momentum as PyTorch defines it, in place: velocity = momentum · velocity + gradient, then
 * value -= learningRate · velocity. (Other texts put the learning rate inside the velocity: not the same when it
 * changes.) Each line is rounded to float32 once.
 */
export function stepMomentumSgd(
  values: Float32Array,
  velocities: Float32Array,
  gradients: Float32Array,
  { learningRate, momentum }: { readonly learningRate: number; readonly momentum: number },
): void {
  for (let i = 0; i < values.length; i++) {
    const velocity = Math.fround(momentum * velocities[i]! + gradients[i]!);
    velocities[i] = velocity;
    values[i] = values[i]! - learningRate * velocity;
  }
}
