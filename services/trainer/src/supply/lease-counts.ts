/** What happened to leases, counted since the start of the process. */
export interface LeaseCounts {
  /** Leases given out, hedges and repeats included. */
  leases: number;
  /** Leases that ended before all their samples came. */
  brokenLeases: number;
  /** Samples leased again because their lease broke. */
  repeatedSamples: number;
  /** Leases that another worker was asked for too, because they were slow. */
  hedgedLeases: number;
  /** Samples written to their place. */
  samples: number;
  /** Their voxels in bytes, as they travelled. */
  sampleBytes: number;
  /** Samples that came a second time and were dropped. */
  duplicateSamples: number;
  /** Samples that were wrong: their worker was quarantined. */
  wrongSamples: number;
  /** Leases under way now. */
  openLeases: number;
  /** Bytes of places whose samples are not there yet, now. */
  awaitedBytes: number;
}

export function newLeaseCounts(): LeaseCounts {
  return {
    leases: 0,
    brokenLeases: 0,
    repeatedSamples: 0,
    hedgedLeases: 0,
    samples: 0,
    sampleBytes: 0,
    duplicateSamples: 0,
    wrongSamples: 0,
    openLeases: 0,
    awaitedBytes: 0,
  };
}
