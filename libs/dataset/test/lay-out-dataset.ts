import { IDENTITY_DIRECTION, voxelCount, writeMetaImage, xyzMm, type Shape } from '@lunastream/volume';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const CANDIDATES_HEADER = 'seriesuid,coordX,coordY,coordZ,class';
export const ANNOTATIONS_HEADER = 'seriesuid,coordX,coordY,coordZ,diameter_mm';

/** A dataset folder to write. Rows are CSV lines without the header. */
export interface DatasetLayout {
  readonly candidates?: readonly string[];
  readonly annotations?: readonly string[];
  readonly patients?: readonly string[];
  /** Scans by path relative to the folder and without suffix, as `subset0/a`; 1 mm voxels, voxel [0,0,0] at 0 mm. */
  readonly scans?: Readonly<Record<string, Shape>>;
}

export const CUBE: Shape = { depth: 10, height: 10, width: 10 };

/** A small set of three scans: `a` with two nodules, `b` with one, `c` without. */
export const SMALL_LAYOUT = {
  candidates: ['a,5,5,5,0', 'a,2,2,2,1', 'b,3,3,3,1', 'c,4,4,4,0', 'a,7,7,7,1', 'b,1,1,1,0'],
  annotations: ['a,2,2,2,4.5', 'b,3,3,3,9.5'],
  scans: { 'subset0/a': CUBE, 'subset1/b': CUBE, c: CUBE },
} satisfies DatasetLayout;

/** Writes a LUNA16 folder into `folder` (tables only where rows are given) and returns `folder`. */
export async function layOutDataset(folder: string, layout: DatasetLayout): Promise<string> {
  const tables = [
    ['candidates.csv', CANDIDATES_HEADER, layout.candidates],
    ['annotations.csv', ANNOTATIONS_HEADER, layout.annotations],
    ['patients.csv', 'seriesuid,patient_id', layout.patients],
  ] as const;
  await mkdir(folder, { recursive: true });
  for (const [name, header, rows] of tables) {
    if (rows !== undefined) await writeFile(join(folder, name), [header, ...rows, ''].join('\n'));
  }
  for (const [scan, shape] of Object.entries(layout.scans ?? {})) {
    await mkdir(join(folder, scan, '..'), { recursive: true });
    const geometry = {
      shape,
      originXyzMm: xyzMm(0, 0, 0),
      spacingXyzMm: xyzMm(1, 1, 1),
      direction: IDENTITY_DIRECTION,
    };
    await writeMetaImage(join(folder, `${scan}.mhd`), {
      geometry,
      voxelsHu: new Int16Array(voxelCount(shape)),
    });
  }
  return folder;
}
