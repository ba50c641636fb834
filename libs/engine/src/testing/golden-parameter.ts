import type { ParameterSpec } from '../luna-model.ts';

/** Weights of make_lunamodel_golden.py, function det: an integer hash of parameter and element number. */
export function goldenParameter(spec: ParameterSpec, ordinal: number): Float32Array {
  if (spec.role === 'normalisation-scale') return Float32Array.of(1);
  if (spec.role === 'normalisation-shift') return Float32Array.of(0);
  const inputs = spec.shape[1]!;
  const bound = { bias: 0.05, convolution: Math.sqrt(6 / (27 * inputs)), head: Math.sqrt(6 / inputs) }[
    spec.role
  ];
  const salt = ((ordinal + 1) * 3266489917) % 2 ** 32;
  return Float32Array.from({ length: spec.size }, (_, element) => {
    let hash = Math.imul(element, 2246822519) ^ salt;
    for (let round = 0; round < 2; round++) {
      hash ^= hash >>> 16;
      hash = Math.imul(hash, 0x45d9f3b);
    }
    hash ^= hash >>> 16;
    return (((hash >>> 0) / 2 ** 32) * 2 - 1) * bound;
  });
}
