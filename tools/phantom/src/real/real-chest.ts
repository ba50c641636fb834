/**
 * Reads a real lung CT of data/lung-ct and finds out what placing nodules in it needs: where the lung is, what in it
 * looks like a nodule, how dense and how noisy it is.
 */
import { join } from 'node:path';
import { readVolume, type Volume } from '@lunastream/volume';
import { PhantomBackgroundError } from '../errors.ts';
import { scannerBlurOf, type BlurMm } from '../nodules/insert-nodule.ts';
import { MaskLung, segmentLungs, type BoxMask } from './lung-mask.ts';
import { resampleRoundLung } from './masked-scan.ts';
import { findLookAlikes, type LungFindings } from './real-look-alikes.ts';
import { boundingBox, copyBox, spacingIrcMm } from '../geometry/voxel-box.ts';

/** Files of a CT, relative to the folder of CTs. */
export interface RealScanFiles {
  readonly file: string;
  /** Of the lung, shipped with the scan; else it is segmented here. */
  readonly maskFile?: string;
}

/** A real chest and what is known of it. */
export interface RealChest {
  readonly volume: Volume;
  readonly lung: MaskLung;
  readonly findings: LungFindings;
  /** Of plain lung. */
  readonly parenchymaHu: number;
  /** Of the scanner, which was coarser than the grid here. */
  readonly scannerBlurMm: BlurMm;
}

// [index, row, column], within the range of LUNA16's scans. On one grid a nodule has as many voxels in either patient,
// and a chunk of 16x24x24 shows 24 mm: a small network learns that in minutes, and what spans five times as much
// (the 2.5x1.4x1.4 and 2.5x2x2 mm of the sources) it does not. Nodules get the blur of the source's grid.
const GRID_SPACING_MM = [1.5, 1, 1] as const;
const MARGIN_MM = 12;
const SOFT_TISSUE_HU = [-20, 100] as const;
const DEEP_LUNG_MM = 6;
// Standard deviation over the median of |x| for a normal x.
const MEDIAN_TO_SIGMA = 1.4826;
// Medians of some ten thousand voxels are as good as those of all.
const MEDIAN_STRIDE = 61;

async function readScan(path: string): Promise<Volume> {
  try {
    return await readVolume(path);
  } catch (error) {
    throw new PhantomBackgroundError(path, 'it must be the MetaImage file this package ships', {
      cause: error,
    });
  }
}

/** Reads a mask image: every voxel that is not 0 is lung. */
export async function readLungMask(path: string): Promise<BoxMask> {
  const { geometry, voxelsHu } = await readScan(path);
  const mask = new Uint8Array(voxelsHu.length);
  for (let offset = 0; offset < mask.length; offset++) mask[offset] = voxelsHu[offset] === 0 ? 0 : 1;
  const box = boundingBox(mask, geometry.shape, 1);
  if (box === undefined) throw new PhantomBackgroundError(path, 'the mask must mark a lung, got none');
  return { box, mask: copyBox(mask, geometry.shape, box) };
}

/**
 * The lung of the scan to place things in. Of a segmentation only the largest part: on 4DCT_chest that is the right
 * lung; the left holds a mass and fluid that nobody marked, and would teach that disease is no nodule.
 */
async function lungOf(scan: RealScanFiles, volume: Volume, folder: string): Promise<BoxMask> {
  if (scan.maskFile !== undefined) return readLungMask(join(folder, scan.maskFile));
  const largest = segmentLungs(volume)[0];
  if (largest === undefined) {
    throw new PhantomBackgroundError(join(folder, scan.file), 'it must show a lung, got none');
  }
  return largest;
}

function median(values: readonly number[]): number {
  return Float64Array.from(values).sort()[Math.floor(values.length / 2)] ?? 0;
}

function parenchymaHuOf({ voxelsHu, geometry }: Volume, lung: MaskLung): number {
  const { height, width } = geometry.shape;
  const deep: number[] = [];
  for (let offset = 0; offset < lung.boxDepthsMm.length; offset += MEDIAN_STRIDE) {
    if (lung.boxDepthsMm[offset]! <= DEEP_LUNG_MM) continue;
    const [index, row, column] = lung.voxelAt(offset);
    deep.push(voxelsHu[(index * height + row) * width + column]!);
  }
  return median(deep);
}

/** Standard deviation of the grain, from differences of neighbours in soft tissue, where little else differs. */
export function noiseSigmaHu({ voxelsHu, geometry }: Volume): number {
  const isSoft = (hu: number) => hu > SOFT_TISSUE_HU[0] && hu < SOFT_TISSUE_HU[1];
  const differences: number[] = [];
  for (let offset = 0; offset + 1 < voxelsHu.length; offset += MEDIAN_STRIDE) {
    const isLineEnd = (offset + 1) % geometry.shape.width === 0;
    const here = voxelsHu[offset]!;
    const next = voxelsHu[offset + 1]!;
    if (!isLineEnd && isSoft(here) && isSoft(next)) differences.push(Math.abs(here - next));
  }
  return (MEDIAN_TO_SIGMA * median(differences)) / Math.SQRT2;
}

/** @throws PhantomBackgroundError when a file is missing, cannot be read or shows no lung. */
export async function readRealChest(scan: RealScanFiles, folder: string): Promise<RealChest> {
  const source = await readScan(join(folder, scan.file));
  const masked = { volume: source, lung: await lungOf(scan, source, folder) };
  const { volume, lung: mask } = resampleRoundLung(masked, {
    spacingMm: GRID_SPACING_MM,
    marginMm: MARGIN_MM,
  });
  const lung = MaskLung.fromMask(volume.geometry, mask);
  return {
    volume,
    lung,
    findings: findLookAlikes(volume, lung),
    parenchymaHu: parenchymaHuOf(volume, lung),
    scannerBlurMm: scannerBlurOf(spacingIrcMm(source.geometry)),
  };
}
