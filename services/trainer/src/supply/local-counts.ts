/** What a trainer that makes its samples itself counts beside `MadeCounts`, since it started. */
export class LocalCounts {
  /** Samples written to their place. */
  sampleCount = 0;
  /** Bytes of places whose samples are not there yet, now. */
  awaitedBytes = 0;
  /** Chunks that could not be read: unknown scan, centre outside, damaged file. */
  failedChunkCount = 0;
}
