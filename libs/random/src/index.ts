export { AliasTable } from './alias-table.ts';
export { cosineAndSine, exponential, logarithm } from './elementary.ts';
export { philox4x32, type Words4 } from './philox.ts';
export { gaussianQuantile } from './gaussian-quantile.ts';
export { RandomPurpose, RandomStream, type RandomKey } from './random-stream.ts';
