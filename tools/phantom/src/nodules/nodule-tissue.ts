/**
 * What a nodule is made of. A voxel of lung is mostly air; a nodule replaces a share of that air, its `fill`, by tissue.
 * With fill 1 it is solid and hides what was there; with less it is ground glass, through which vessels and noise of the
 * lung show as on a real CT.
 */
import type { RandomStream } from '@lunastream/random';

export type Density = 'solid' | 'part-solid' | 'ground-glass';

export interface NoduleTissue {
  readonly density: Density;
  /** Of the tissue that replaces the air. */
  readonly tissueHu: number;
  /** Share of air replaced outside the core, 0..1. */
  readonly fill: number;
  /** Radius of the solid core over that of the nodule: 1 solid, 0 none. */
  readonly coreRatio: number;
  /** Standard deviation of the margin's softness; the scanner's blur comes on top. */
  readonly edgeSigmaMm: number;
}

// Sub-solid nodules smaller than this are at the limit of what readers mark.
const MIN_SUBSOLID_DIAMETER_MM = 6;

/** HU of a ground-glass nodule in a lung of `parenchymaHu`. */
export function groundGlassHu(tissue: NoduleTissue, parenchymaHu: number): number {
  return parenchymaHu + tissue.fill * (tissue.tissueHu - parenchymaHu);
}

/**
 * Draws the tissue of a nodule: solid (about 0..80 HU) three times in four, as in the NLST and LIDC collections, else
 * part-solid or ground glass of -650..-300 HU in a lung of `parenchymaHu`.
 */
export function sampleNoduleTissue(
  diameterMm: number,
  parenchymaHu: number,
  random: RandomStream,
): NoduleTissue {
  const pick = random.uniform();
  const tissueHu = random.uniformBetween(0, 80);
  const glassHu = random.uniformBetween(-650, -300);
  const coreRatio = random.uniformBetween(0.4, 0.7);
  const softness = random.uniform();
  if (pick < 0.76 || diameterMm < MIN_SUBSOLID_DIAMETER_MM) {
    return { density: 'solid', tissueHu, fill: 1, coreRatio: 1, edgeSigmaMm: 0.2 + 0.5 * softness };
  }
  const fill = (glassHu - parenchymaHu) / (tissueHu - parenchymaHu);
  const edgeSigmaMm = 0.6 + 0.6 * softness;
  return pick < 0.88
    ? { density: 'part-solid', tissueHu, fill, coreRatio, edgeSigmaMm }
    : { density: 'ground-glass', tissueHu, fill, coreRatio: 0, edgeSigmaMm };
}
