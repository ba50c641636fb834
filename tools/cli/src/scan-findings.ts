import { join } from 'node:path';
import { readAnnotations, type Annotation, type Candidate } from '@lunastream/dataset';
import type { ScanFindings } from '@lunastream/metrics';
import { containsIrc, xyzToIrc, type VolumeGeometry, type XyzMm } from '@lunastream/volume';
import type { LocalDataset } from './local-dataset.ts';

/**
 * Below this a scan is a part of one: false positives per scan would mean nothing. An adult's lungs are some 240 mm high and
 * 280 mm wide.
 */
const WHOLE_SCAN_MM = { depth: 150, side: 200 } as const;

/** Scans that the FROC curve is of, and why others are left out. */
export interface FrocScans {
  readonly scans: readonly ScanFindings[];
  readonly partialScans: number;
  /** Scans of which only a share of the candidates was computed. */
  readonly incompleteScans: number;
}

/** Whether a scan is large enough to be of a whole chest. */
export function isWholeScan({ shape, spacingXyzMm }: VolumeGeometry): boolean {
  const [x, y, z] = spacingXyzMm;
  return (
    shape.depth * z >= WHOLE_SCAN_MM.depth &&
    shape.height * y >= WHOLE_SCAN_MM.side &&
    shape.width * x >= WHOLE_SCAN_MM.side
  );
}

/**
 * Findings by scan, as LUNA16 counts them: a candidate within half the diameter of an annotated nodule's centre is a hit of
 * it. Nodules are the annotations whose centre lies in the scan.
 */
export async function findingsByScan(
  dataset: Pick<LocalDataset, 'folder' | 'candidates' | 'geometryOf'>,
  candidates: readonly Candidate[],
  probabilities: ArrayLike<number>,
): Promise<FrocScans> {
  const annotations = await readAnnotations(join(dataset.folder, 'annotations.csv'));
  const computed = groupBySeries(
    candidates.map((candidate, index) => ({ ...candidate, probability: probabilities[index]! })),
  );
  const all = groupBySeries(dataset.candidates);
  const scans: ScanFindings[] = [];
  let partialScans = 0;
  let incompleteScans = 0;
  for (const [seriesUid, ofScan] of computed) {
    const geometry = dataset.geometryOf(seriesUid);
    if (!isWholeScan(geometry)) partialScans++;
    else if (ofScan.length < all.get(seriesUid)!.length) incompleteScans++;
    else {
      const nodules = annotations.filter(
        (annotation) =>
          annotation.seriesUid === seriesUid &&
          containsIrc(geometry.shape, xyzToIrc(geometry, annotation.centerXyzMm)),
      );
      const findings = ofScan.map(({ centerXyzMm, probability }) => ({
        probability,
        nodule: noduleAt(nodules, centerXyzMm),
      }));
      scans.push({ noduleCount: nodules.length, findings });
    }
  }
  return { scans, partialScans, incompleteScans };
}

/** The nearest nodule whose radius reaches the point. */
function noduleAt(nodules: readonly Annotation[], point: XyzMm): number | undefined {
  let nearest: number | undefined;
  let nearestMm = Infinity;
  nodules.forEach(({ centerXyzMm, diameterMm }, index) => {
    const distanceMm = Math.hypot(...centerXyzMm.map((value, axis) => value - point[axis]!));
    if (distanceMm <= diameterMm / 2 && distanceMm < nearestMm) {
      nearest = index;
      nearestMm = distanceMm;
    }
  });
  return nearest;
}

function groupBySeries<Item extends { readonly seriesUid: string }>(
  items: readonly Item[],
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(item.seriesUid);
    if (group === undefined) groups.set(item.seriesUid, [item]);
    else group.push(item);
  }
  return groups;
}
