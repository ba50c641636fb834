// CPU kernels over shared memory: docs/engine.md says how they work, src/simd who calls them.
export { runJob, serve } from './pool';

/** Where the module's own constants (tables of Math.exp) end: addresses from here on are the caller's. */
export function constantsEnd(): usize {
  return __heap_base;
}
