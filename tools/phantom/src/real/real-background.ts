/**
 * The real lung CTs of data/lung-ct as backgrounds: what they show is data/README.md's subject. Two patients:
 * the 3DCT_lung pair (a right lung, twice) and 4DCT_chest. Patient ids sort 4DCT_chest first, so that the usual split
 * (every tenth patient, from the first, validates) trains on one patient and validates on the other.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RandomStream } from '@lunastream/random';
import { insertNodule } from '../nodules/insert-nodule.ts';
import { drawLookAlikes } from '../look-alikes.ts';
import { noiseSigmaHu, readRealChest, type RealChest, type RealScanFiles } from './real-chest.ts';
import { realLookAlikeSources } from './real-look-alikes.ts';
import { exhale, lowerDose, mirroredChest } from './real-variant.ts';
import type { ScanBackground } from '../scan-background.ts';
import { ScannerNoise } from '../scanner-noise.ts';

interface RealScan extends RealScanFiles {
  readonly name: string;
  readonly patientId: string;
}

const REAL_SCANS: readonly RealScan[] = [
  {
    name: '3DCT_lung_baseline',
    file: '3DCT_lung_baseline.mha',
    maskFile: '3DCT_lung_baseline_mask.mha',
    patientId: 'real-2-3dct-lung',
  },
  { name: '4DCT_chest_t0', file: '4DCT_chest_t0.mhd', patientId: 'real-1-4dct-chest' },
  {
    name: '3DCT_lung_followup',
    file: '3DCT_lung_followup.mha',
    maskFile: '3DCT_lung_followup_mask.mha',
    patientId: 'real-2-3dct-lung',
  },
];

/** Text for the README of every data set made from these CTs. */
export const REAL_ATTRIBUTION: readonly string[] = [
  '3DCT_lung_baseline, 3DCT_lung_followup: from elastix (https://elastix.dev), as distributed by Debian; Apache-2.0.',
  '4DCT_chest_t0: from plastimatch (https://plastimatch.org), as distributed by Debian; BSD-3-Clause.',
  'Changes: simulated nodules were inserted; CTs were cropped to a lung, resampled, and their lung density and noise',
  'altered at random; in every second round through the CTs left and right are exchanged.',
];

/** Beside the CTs; copied into every data set made from them. */
export const REAL_LICENCE_FILES: readonly string[] = ['LICENSE.3DCT_lung', 'LICENSE.4DCT_chest'];

/** Folder of the shipped CTs: beside package.json, both in the sources and after a build. */
export function realScanFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'data', 'lung-ct');
}

/** Reads the shipped CTs once each and makes backgrounds of them. */
export class RealBackgrounds {
  readonly #folder: string;
  readonly #chests = new Map<string, Promise<RealChest>>();

  /** @param folder of the MetaImage files; see `realScanFolder`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Background of scan `scanIndex`: the three CTs in turn, then again for as long as it takes; every time in another
   * variant (see real-variant.ts), every second time mirrored.
   * @throws PhantomBackgroundError when a file is missing or shows no lung.
   */
  async at(scanIndex: number, random: RandomStream): Promise<ScanBackground> {
    const scan = REAL_SCANS[scanIndex % REAL_SCANS.length]!;
    const round = Math.floor(scanIndex / REAL_SCANS.length);
    const original = await this.#chestOf(scan);
    const isMirrored = round % 2 === 1;
    const chest = isMirrored ? mirroredChest(original) : withOwnVoxels(original);
    const parenchymaHu = exhale(chest, random);
    lowerDose(chest.volume, random);
    const { volume, lung, findings, scannerBlurMm } = chest;
    const noise = new ScannerNoise(noiseSigmaHu(volume), random);
    return {
      name: isMirrored ? `${scan.name}, mirrored` : scan.name,
      patientId: scan.patientId,
      volume,
      lung,
      vesselPoints: [...findings.vessels, ...findings.bifurcations],
      parenchymaHu,
      placeLookAlikes: (request) => drawLookAlikes(realLookAlikeSources(findings, lung), request),
      insertNodule: (nodule) => insertNodule(volume, nodule, scannerBlurMm, noise),
      finish: () => Promise.resolve(),
    };
  }

  #chestOf(scan: RealScan): Promise<RealChest> {
    let reading = this.#chests.get(scan.name);
    if (reading === undefined) {
      reading = readRealChest(scan, this.#folder);
      this.#chests.set(scan.name, reading);
    }
    return reading;
  }
}

function withOwnVoxels(chest: RealChest): RealChest {
  return { ...chest, volume: { ...chest.volume, voxelsHu: chest.volume.voxelsHu.slice() } };
}
