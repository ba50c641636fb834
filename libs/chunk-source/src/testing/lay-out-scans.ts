import {
  voxelCount,
  writeMetaImage,
  xyzMm,
  type Shape,
  type Volume,
  type WriteMetaImageOptions,
} from '@lunastream/volume';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export const SCAN_SHAPE: Shape = { depth: 12, height: 16, width: 20 };

// A scan as scanners make them: anisotropic, away from the origin, feet first (x and y run against rows and columns).
const SPACING = xyzMm(0.7, 0.7, 1.25);
const ORIGIN = xyzMm(-100, -80, 40);
const DIRECTION = [-1, 0, 0, 0, -1, 0, 0, 0, 1] as const;

/** A scan whose voxels differ from their neighbours and from those of other seeds, and reach beyond [-1000, 1000] HU. */
export function makeScan(seed: number, shape: Shape = SCAN_SHAPE): Volume {
  const voxelsHu = Int16Array.from(
    { length: voxelCount(shape) },
    (_, position) => ((position * 7919 + seed * 104_729) % 3000) - 1500,
  );
  return {
    geometry: { shape, originXyzMm: ORIGIN, spacingXyzMm: SPACING, direction: DIRECTION },
    voxelsHu,
  };
}

/** Patient coordinates of voxel [index, row, column] of a scan by `makeScan`. */
export function centerOf(index: number, row: number, column: number) {
  return xyzMm(ORIGIN[0] - column * SPACING[0], ORIGIN[1] - row * SPACING[1], ORIGIN[2] + index * SPACING[2]);
}

/** A row of candidates.csv at voxel [index, row, column]. */
export function candidateRow(
  seriesUid: string,
  [index, row, column]: readonly [number, number, number],
  isNodule = false,
): string {
  return [seriesUid, ...centerOf(index, row, column), isNodule ? 1 : 0].join(',');
}

/** Writes `scan` to `path` ("folder/<series uid>", without suffix), making the folder. */
export async function writeScan(path: string, scan: Volume, options?: WriteMetaImageOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeMetaImage(`${path}.mhd`, scan, options);
}

/** Writes a LUNA16 folder of scans a and b with these rows of candidates.csv, no annotations. Returns `folder`. */
export async function layOutScans(folder: string, candidateRows: readonly string[] = []): Promise<string> {
  await writeScan(join(folder, 'subset0/a'), makeScan(1));
  await writeScan(join(folder, 'subset0/b'), makeScan(2), { compressed: true });
  await writeFile(
    join(folder, 'candidates.csv'),
    ['seriesuid,coordX,coordY,coordZ,class', ...candidateRows, ''].join('\n'),
  );
  await writeFile(join(folder, 'annotations.csv'), 'seriesuid,coordX,coordY,coordZ,diameter_mm\n');
  return folder;
}
