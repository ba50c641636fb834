import { RandomPurpose, RandomStream } from '@lunastream/random';
import type { ParameterSpec } from './luna-model.ts';

/** Mean square gain of ReLU on a symmetric input is 1/2; Kaiming initialisation makes up for it (He et al., 2015). */
const RELU_GAIN_SQUARED = 2;

/**
 * Logits of the first batch should be small against 1, whatever the size of the head: then both classes start near
 * p = 0.5, the first loss near ln 2, and no sample starts in softmax's flat part. The published program draws the
 * head with standard deviation 1 and its biases around -0.7 (facts 1.7, B5): logits start near ±6, and its
 * first printed losses reach 149 and 924.
 */
const HEAD_LOGIT_SCALE = 0.5;

function standardDeviation({ role, shape }: ParameterSpec): number {
  const [outputs, inputs, ...kernel] = shape;
  if (role === 'convolution') {
    const fanOut = kernel.reduce((product, side) => product * side, outputs!);
    return Math.sqrt(RELU_GAIN_SQUARED / fanOut);
  }
  return role === 'head' ? HEAD_LOGIT_SCALE / Math.sqrt(inputs!) : 0;
}

/**
 * Initial values of every parameter, in order: convolutions Kaiming-normal (fan-out, ReLU) as in the published
 * program, zero biases, identity normalisation, a small head. A pure function of the seed: parameter i draws from
 * stream (seed, epoch 0, ordinal i, modelInitialisation).
 */
export function initialiseLunaModel(
  parameters: readonly ParameterSpec[],
  runSeed: number,
): Float32Array<ArrayBuffer>[] {
  return parameters.map((spec, ordinal) => {
    const values = new Float32Array(spec.size);
    const deviation = standardDeviation(spec);
    if (spec.role === 'normalisation-scale') return values.fill(1);
    if (deviation === 0) return values;
    const stream = new RandomStream({
      runSeed,
      epoch: 0,
      ordinal,
      purpose: RandomPurpose.modelInitialisation,
    });
    return values.map(() => deviation * stream.gaussian());
  });
}
