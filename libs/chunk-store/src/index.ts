export { chunkKey, type ChunkIdentity } from './chunk-key.ts';
export type { ChunkStore, TierCounts, TierStats } from './chunk-store.ts';
export { ChunkStoreOpenError, ChunkStoreSettingsError } from './errors.ts';
export { LmdbChunkStore } from './lmdb-chunk-store.ts';
export { MemoryChunkStore } from './memory-chunk-store.ts';
export { SingleFlight } from './single-flight.ts';
export { TieredChunkStore, type TierEvents } from './tiered-chunk-store.ts';
