/** Kernels of @lunastream/augmentation. `src/kernels.ts` describes them to TypeScript. */
export { clearDisplacement, displacementBytes, setDisplacement } from './displacement';
export { resampleGeneral } from './general';
export { checksum, plainSum, wereFinite, widenInt16 } from './inspect';
export { resampleColumns, resampleSlicesOfFloat32, resampleSlicesOfInt16 } from './in-plane';
export { makeWords, setNoise } from './noise';
export { setIntensity, setSample, tileMemoryBytes } from './sample-tile';
export { convertInt16, copyBoxOfFloat32, copyBoxOfInt16, largestMagnitude } from './source';

/** The first byte of memory that the kernels leave to their user. */
export function memoryStart(): usize {
  return __heap_base;
}
