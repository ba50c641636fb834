export { registerSimdBackend, type SimdBackendSettings } from './register-simd-backend.ts';
export type { SimdBackend } from './simd-backend.ts';
