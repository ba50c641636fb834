// Softmax and cross entropy of rows of logits, in double precision: rows are few.

@unmanaged
export class SoftmaxArguments {
  /** `[rows][classes]`: logits, the labels' probabilities. */
  logits: usize;
  labels: usize;
  rows: i32;
  classes: i32;
  taskRows: i32;
  /** One per row, in nats. */
  losses: usize;
  /** `[rows][classes]`: derivatives of a row's loss by its logits. */
  slopes: usize;
}

function softmaxRow(a: SoftmaxArguments, row: usize): void {
  const start = (row * <usize>a.classes) << 2;
  const end = start + ((<usize>a.classes) << 2);
  let largest: f64 = -Infinity;
  for (let at = start; at < end; at += 4) largest = Math.max(largest, <f64>load<f32>(a.logits + at));
  let sum: f64 = 0;
  let labelSum: f64 = 0;
  for (let at = start; at < end; at += 4) {
    sum += Math.exp(<f64>load<f32>(a.logits + at) - largest);
    labelSum += <f64>load<f32>(a.labels + at);
  }
  const logSum = largest + Math.log(sum);
  let loss: f64 = 0;
  for (let at = start; at < end; at += 4) {
    const label = <f64>load<f32>(a.labels + at);
    const logProbability = <f64>load<f32>(a.logits + at) - logSum;
    // 0 · -Infinity: a label of 0 asks nothing of its logit.
    if (label != 0) loss -= label * logProbability;
    store<f32>(a.slopes + at, <f32>(labelSum * Math.exp(logProbability) - label));
  }
  store<f32>(a.losses + (row << 2), <f32>(sum == sum ? loss : sum));
}

/** Task: `taskRows` rows. */
export function softmaxCrossEntropy(a: SoftmaxArguments, task: i32): void {
  const end = min((task + 1) * a.taskRows, a.rows);
  for (let row = task * a.taskRows; row < end; row++) softmaxRow(a, <usize>row);
}
