/** Counts what is answered, since the service started. Telemetry reads them. */
export class ServedCounts {
  /** Chunks that could not be served. */
  failedChunkCount = 0;
  /** Bytes of voxels of those that were. */
  servedBytes = 0;
}
