// The ends of the network: what goes in, and what comes out.

/** What a whole batch shares; written before each job. */
@unmanaged
export class BatchRecord {
  /** Input statistics: a voxel is normalised to (voxel - mean) · inverseDeviation ... */
  mean: f64;
  inverseDeviation: f64;
  /** ... and enters the network as scale · normalised + shift. */
  scale: f64;
  shift: f64;
  /** Every sample's weight in the loss: 1 / count. */
  weight: f64;
  /** The loss that is trained: loss.ts. */
  positiveWeight: f64;
  focusing: f64;
  /** In HU, sample after sample; the job's first. */
  voxels: usize;
  labels: usize;
  losses: usize;
  probabilities: usize;
  /** The job's gradients, sample after sample, `gradientBytes` each. */
  gradients: usize;
  gradientBytes: usize;
}

/** Sums of one sample's voxels, for the statistics of the batch. Task: a sample. */
@unmanaged
export class StatisticsArguments {
  batch: BatchRecord;
  voxelCount: i32;
  /** f64 per sample: the sum of the voxels, or NaN when one of them is not finite. */
  sums: usize;
  /** f64 per sample: the sum of squared differences from the batch's mean. */
  squares: usize;
}

function sumLanes(sum: v128): f64 {
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

export function sumVoxels(a: StatisticsArguments, task: i32): void {
  const bytes = (<usize>a.voxelCount) << 2;
  let at = a.batch.voxels + task * bytes;
  const end = at + bytes;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; at + 16 <= end; at += 16) {
    const four = v128.load(at);
    low = f64x2.add(low, f64x2.promote_low_f32x4(four));
    high = f64x2.add(
      high,
      f64x2.promote_low_f32x4(
        i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7),
      ),
    );
  }
  let sum = sumLanes(f64x2.add(low, high));
  for (; at < end; at += 4) sum += load<f32>(at);
  // Finite float32 values cannot add up to infinity in double precision; infinity - infinity and NaN stay.
  store<f64>(a.sums + ((<usize>task) << 3), sum - sum == 0 ? sum : NaN);
}

export function sumSquares(a: StatisticsArguments, task: i32): void {
  const bytes = (<usize>a.voxelCount) << 2;
  let at = a.batch.voxels + task * bytes;
  const end = at + bytes;
  const mean = f64x2.splat(a.batch.mean);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; at + 16 <= end; at += 16) {
    const four = v128.load(at);
    const difference = f64x2.sub(f64x2.promote_low_f32x4(four), mean);
    low = f64x2.add(low, f64x2.mul(difference, difference));
    const other = f64x2.sub(
      f64x2.promote_low_f32x4(
        i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7),
      ),
      mean,
    );
    high = f64x2.add(high, f64x2.mul(other, other));
  }
  let sum = sumLanes(f64x2.add(low, high));
  for (; at < end; at += 4) {
    const difference = <f64>load<f32>(at) - a.batch.mean;
    sum += difference * difference;
  }
  store<f64>(a.squares + ((<usize>task) << 3), sum);
}

/** A sample's way into the network. Task: the sample's number in the job. */
@unmanaged
export class LoadArguments {
  batch: BatchRecord;
  depth: i32;
  height: i32;
  width: i32;
  /** Padded volumes of one channel, borders zero: the normalised voxels, and those scaled and shifted. */
  normalised: usize;
  input: usize;
  /** Bytes. */
  plane: usize;
  row: usize;
  /** What becomes of a normalised value: place in INPUT_NORMALISATIONS of input-normalisation.ts. */
  bend: i32;
}

const SIGNED_SQRT: i32 = 2;
const SIGNED_LOG: i32 = 3;

function bent(bend: i32, value: f32): f32 {
  const size = abs<f32>(value);
  if (bend == SIGNED_SQRT) return copysign<f32>(sqrt<f32>(size), value);
  if (bend == SIGNED_LOG) return copysign<f32>(<f32>Math.log1p(size), value);
  return <f32>Math.tanh(value);
}

export function loadSample(a: LoadArguments, task: i32): void {
  const batch = a.batch;
  const factor = <f32>batch.inverseDeviation;
  const mean = <f32>batch.mean;
  const rest = <f32>((<f64>mean - batch.mean) * batch.inverseDeviation);
  const scale = <f32>batch.scale;
  const shift = <f32>batch.shift;
  let voxel = batch.voxels + ((<usize>(task * a.depth * a.height * a.width)) << 2);
  const first = a.plane + a.row + 4;
  for (let plane = 0; plane < a.depth; plane++) {
    for (let row = 0; row < a.height; row++) {
      let at = first + plane * a.plane + row * a.row;
      for (let column = 0; column < a.width; column++) {
        // The mean in two float32 parts: nothing is lost where it is large against the deviation.
        let value = (load<f32>(voxel) - mean) * factor + rest;
        if (a.bend >= SIGNED_SQRT) value = bent(a.bend, value);
        store<f32>(a.normalised + at, value);
        store<f32>(a.input + at, scale * value + shift);
        voxel += 4;
        at += 4;
      }
    }
  }
}

/** The linear layer of two classes with its loss, and their gradients. Task: the sample's number in the job. */
@unmanaged
export class HeadArguments {
  batch: BatchRecord;
  /** Multiple of 4. */
  featureCount: i32;
  features: usize;
  /** `[2][features]` */
  weights: usize;
  /** 2 values. */
  bias: usize;
  /** f32 pairs, per sample. */
  logits: usize;
  /** `[2][features]`, written; 0: forward only. */
  weightGradient: usize;
  /** 2 values, written. */
  biasGradient: usize;
  featureGradient: usize;
}

function dot(a: usize, b: usize, count: i32): f32 {
  let even = f32x4.splat(0);
  let odd = f32x4.splat(0);
  const end = a + ((<usize>count) << 2);
  for (; a + 32 <= end; a += 32) {
    even = f32x4.add(even, f32x4.mul(v128.load(a), v128.load(b)));
    odd = f32x4.add(odd, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    b += 32;
  }
  if (a < end) even = f32x4.add(even, f32x4.mul(v128.load(a), v128.load(b)));
  const sum = f32x4.add(even, odd);
  return (
    f32x4.extract_lane(sum, 0) +
    f32x4.extract_lane(sum, 1) +
    (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3))
  );
}

/** As in loss.ts: how fast a class's focused loss falls with its own logit. */
function focalSlope(ofClass: f64, ofOther: f64, loss: f64, focusing: f64): f64 {
  const weight = focusing == 0 ? 1 : Math.pow(ofOther, focusing);
  return weight * (ofOther + focusing * ofClass * loss);
}

/** As sampleLoss() in loss.ts, which says why. Returns the derivative by the second logit. */
function storeLoss(batch: BatchRecord, task: i32, margin: f64): f64 {
  const label = <f64>load<f32>(batch.labels + ((<usize>task) << 2));
  const tail = Math.exp(-Math.abs(margin));
  const smallLoss = Math.log1p(tail);
  const probability = (margin >= 0 ? 1 : tail) / (1 + tail);
  const negativeLoss = smallLoss + Math.max(margin, 0);
  const positiveLoss = smallLoss + Math.max(-margin, 0);
  const loss = (1 - label) * negativeLoss + label * positiveLoss;
  store<f32>(batch.losses + ((<usize>task) << 2), <f32>loss);
  store<f32>(batch.probabilities + ((<usize>task) << 2), <f32>probability);
  if (batch.focusing == 0 && batch.positiveWeight == 1) return probability - label;
  const others = (margin >= 0 ? tail : 1) / (1 + tail);
  return (
    (1 - label) * focalSlope(others, probability, negativeLoss, batch.focusing) -
    batch.positiveWeight * label * focalSlope(probability, others, positiveLoss, batch.focusing)
  );
}

export function runHead(a: HeadArguments, task: i32): void {
  const second = (<usize>a.featureCount) << 2;
  const no = dot(a.features, a.weights, a.featureCount) + load<f32>(a.bias);
  const yes = dot(a.features, a.weights + second, a.featureCount) + load<f32>(a.bias, 4);
  store<f32>(a.logits + ((<usize>task) << 3), no);
  store<f32>(a.logits + ((<usize>task) << 3), yes, 4);
  const slope = <f32>(storeLoss(a.batch, task, <f64>yes - <f64>no) * a.batch.weight);
  if (a.weightGradient == 0) return;
  store<f32>(a.biasGradient, -slope);
  store<f32>(a.biasGradient, slope, 4);
  const gradient = f32x4.splat(slope);
  for (let at: usize = 0; at < second; at += 16) {
    const product = f32x4.mul(gradient, v128.load(a.features + at));
    v128.store(a.weightGradient + at, f32x4.neg(product));
    v128.store(a.weightGradient + second + at, product);
    const difference = f32x4.sub(v128.load(a.weights + second + at), v128.load(a.weights + at));
    v128.store(a.featureGradient + at, f32x4.mul(gradient, difference));
  }
}

/** One thread's sums of gradients. Task: the sample's number in the job. */
@unmanaged
export class GradientsArguments {
  batch: BatchRecord;
  gradients: usize;
}

export function clearGradients(a: GradientsArguments): void {
  memory.fill(a.gradients, 0, a.batch.gradientBytes);
}

/** Puts the sample's gradients beside those of the others, to be added up in a fixed order. */
export function storeGradients(a: GradientsArguments, task: i32): void {
  const bytes = a.batch.gradientBytes;
  memory.copy(a.batch.gradients + task * bytes, a.gradients, bytes);
}
