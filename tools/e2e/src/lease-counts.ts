/** What a trainer says of its leases when it ends. */
export interface LeaseCounts {
  readonly samples: number;
  readonly brokenLeases: number;
  readonly hedgedLeases: number;
  readonly duplicateSamples: number;
  readonly wrongSamples: number;
}

/** Finds it in a trainer's log. */
export function leaseCountsIn(log: string): LeaseCounts {
  const entries = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { leases?: LeaseCounts });
  const counts = entries.find(({ leases }) => leases !== undefined)?.leases;
  if (counts === undefined) throw new Error(`the trainer did not tell of its leases\n${log}`);
  return counts;
}
