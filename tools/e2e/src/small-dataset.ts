import { generatePhantom } from '@lunastream/phantom';

/** A data set that trains within seconds: four synthetic scans with three nodules and nine negatives each. */
export async function makeSmallDataset(folder: string): Promise<string> {
  const { outDir } = await generatePhantom({
    outDir: folder,
    background: 'synthetic',
    seed: 11,
    scanCount: 4,
    nodulesPerScan: 3,
    negativesPerNodule: 3,
    shape: { depth: 40, height: 96, width: 96 },
  });
  return outDir;
}

/** Flags of a run on it that takes seconds. */
export const SMALL_RUN = [
  '--chunk',
  '16x16x16',
  '--balanced',
  '--augmented',
  '--epoch-length',
  '24',
  '--batch-size',
  '8',
  '--seed',
  '5',
] as const;
