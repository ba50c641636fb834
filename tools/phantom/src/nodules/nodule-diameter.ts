import type { RandomStream } from '@lunastream/random';

export const MIN_DIAMETER_MM = 3;
export const MAX_DIAMETER_MM = 30;

// Quantiles of diameter_mm in LUNA16's annotations.csv (1186 nodules), with the ends moved to 3 and 30 mm, the range in
// which a finding is called a nodule.
const LUNA16_QUANTILES: readonly (readonly [probability: number, diameterMm: number])[] = [
  [0, MIN_DIAMETER_MM],
  [0.02, 3.83],
  [0.05, 4.09],
  [0.1, 4.4],
  [0.25, 5.11],
  [0.5, 6.43],
  [0.6, 7.3],
  [0.75, 9.7],
  [0.9, 15.48],
  [0.95, 18.95],
  [0.98, 22.26],
  [1, MAX_DIAMETER_MM],
];

/** Diameter in mm below which a share `probability` (0..1) of LUNA16's nodules lies; linear between the table's rows. */
export function noduleDiameterQuantileMm(probability: number): number {
  const upper = Math.max(
    1,
    LUNA16_QUANTILES.findIndex(([share]) => share >= probability),
  );
  const [lowShare, lowMm] = LUNA16_QUANTILES[upper - 1]!;
  const [highShare, highMm] = LUNA16_QUANTILES[upper]!;
  return lowMm + ((probability - lowShare) / (highShare - lowShare)) * (highMm - lowMm);
}

/** Draws a diameter in mm, 3..30, distributed as LUNA16's: median 6.4, quartiles 5.1 and 9.7. One word of `random`. */
export function sampleNoduleDiameterMm(random: RandomStream): number {
  return noduleDiameterQuantileMm(random.uniform());
}
