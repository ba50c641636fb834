/** Optional peers: not installed where this compiles. What they export is that of @tensorflow/tfjs. */
declare module '@tensorflow/tfjs-node';
declare module '@tensorflow/tfjs-node-gpu';
