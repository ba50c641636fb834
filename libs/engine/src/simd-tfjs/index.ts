export { registerSimdBackend, type SimdBackendSettings } from './register-simd-backend.ts';
export { normaliseBatch, type NormalisedBatch } from './batch-normalisation.ts';
export { softmaxCrossEntropy } from './cross-entropy.ts';
export { fusedConv3d, type FusedConvolution } from './fused-convolution.ts';
export { MomentumOptimizer } from './momentum-optimizer.ts';
export type { SimdBackend } from './simd-backend.ts';
