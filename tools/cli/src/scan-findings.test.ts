import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Candidate } from '@lunastream/dataset';
import { withTemporaryFolder } from '@lunastream/testing';
import { IDENTITY_DIRECTION, xyzMm, type VolumeGeometry } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { findingsByScan, isWholeScan } from './scan-findings.ts';

const geometryOf = (depth: number, side: number): VolumeGeometry => ({
  shape: { depth, height: side, width: side },
  spacingXyzMm: xyzMm(1, 1, 2),
  originXyzMm: xyzMm(0, 0, 0),
  direction: IDENTITY_DIRECTION,
});
const WHOLE = geometryOf(100, 300);
const SLAB = geometryOf(20, 300);

const at = (seriesUid: string, x: number, isNodule = false): Candidate => ({
  seriesUid,
  patientId: seriesUid,
  centerXyzMm: xyzMm(x, 50, 50),
  isNodule,
  diameterMm: 0,
});

describe('isWholeScan()', () => {
  it.each([
    [WHOLE, true],
    [SLAB, false],
    [geometryOf(100, 150), false],
  ])('tells a chest from a part of one', (geometry, expected) => {
    expect(isWholeScan(geometry)).toBe(expected);
  });
});

describe('findingsByScan()', () => {
  it('counts hits within half a diameter, and leaves out scans that would mislead', () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(
        join(folder, 'annotations.csv'),
        'seriesuid,coordX,coordY,coordZ,diameter_mm\n' +
          // The second is nearer to x = 108 than the first; the third lies outside the scan.
          'whole,100,50,50,20\nwhole,112,50,50,10\nwhole,900,50,50,9\nslab,100,50,30,9\n',
      );
      const candidates = [
        at('whole', 90, true),
        at('whole', 108, true),
        at('whole', 89),
        at('slab', 100, true),
        at('half', 100),
        at('half', 120),
      ];
      const dataset = { folder, candidates, geometryOf: (uid: string) => (uid === 'slab' ? SLAB : WHOLE) };
      const measured = candidates.slice(0, 5);
      expect(await findingsByScan(dataset, measured, [0.9, 0.8, 0.7, 0.6, 0.5])).toEqual({
        scans: [
          {
            noduleCount: 2,
            findings: [
              { probability: 0.9, nodule: 0 },
              { probability: 0.8, nodule: 1 },
              { probability: 0.7, nodule: undefined },
            ],
          },
        ],
        partialScans: 1,
        incompleteScans: 1,
      });
    }));
});
