export { crc32c } from './checksum.ts';
export { chunkKey, type ChunkIdentity } from './chunk-key.ts';
export type { ChunkStore, TierCounts, TierStats } from './chunk-store.ts';
export { ChunkStoreOpenError, ChunkStoreSettingsError, ChunkStoreWriteError } from './errors.ts';
export { LateChunkStore } from './late-chunk-store.ts';
export { LmdbChunkStore, type CheckedChunks } from './lmdb-chunk-store.ts';
export { MemoryChunkStore } from './memory-chunk-store.ts';
export { SingleFlight } from './single-flight.ts';
export { TierHealth, type TierEvents } from './tier-health.ts';
export { TieredChunkStore } from './tiered-chunk-store.ts';
export {
  SharedStoreAwayError,
  ValkeyChunkStore,
  type ValkeyChunkStoreOptions,
} from './valkey-chunk-store.ts';
