import { withTemporaryFolder } from '@lunastream/testing';
import { xyzMm } from '@lunastream/volume';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatPredictions, readPredictions } from './predictions.ts';

const CANDIDATES = [
  { seriesUid: '1.2.3', centerXyzMm: xyzMm(-128.699421965, 1e-7, 3), isNodule: true, diameterMm: 5.65 },
  { seriesUid: '1.2.4', centerXyzMm: xyzMm(0, -0.5, 30), isNodule: false, diameterMm: 0 },
];

describe('formatPredictions()', () => {
  it('is the table of a LUNA16 submission, with label, diameter and loss', () => {
    expect(formatPredictions(CANDIDATES, { probabilities: [0.25, 1], losses: [1.5, 0] })).toBe(
      'seriesuid,coordX,coordY,coordZ,class,diameter_mm,probability,loss\n' +
        '1.2.3,-128.699421965,1e-7,3,1,5.65,0.25,1.5\n' +
        '1.2.4,0,-0.5,30,0,0,1,0\n',
    );
  });

  it('is read back to the same float32 numbers, NaN included', () =>
    withTemporaryFolder(async (folder) => {
      const probabilities = Float32Array.of(0.1, Number.NaN);
      const losses = Float32Array.of(1.1754944e-38, Number.NaN);
      const path = join(folder, 'best.csv');
      await writeFile(path, formatPredictions(CANDIDATES, { probabilities, losses }));
      const read = await readPredictions(path);
      expect(
        read.map(({ seriesUid, centerXyzMm, isNodule, diameterMm }) => ({
          seriesUid,
          centerXyzMm,
          isNodule,
          diameterMm,
        })),
      ).toEqual(CANDIDATES);
      expect(Float32Array.from(read, ({ probability }) => probability)).toEqual(probabilities);
      expect(Float32Array.from(read, ({ loss }) => loss)).toEqual(losses);
    }));
});

describe('readPredictions()', () => {
  it('names file, line and field of what is no prediction', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'best.csv');
      await writeFile(
        path,
        formatPredictions(CANDIDATES, { probabilities: [0.5, 0.5], losses: [1, 1] }).replace(
          ',0.5,1\n',
          ',high,1\n',
        ),
      );
      await expect(readPredictions(path)).rejects.toThrow(
        `${path}:2: field probability must be a finite number, got "high"`,
      );
      await expect(readPredictions(join(folder, 'none.csv'))).rejects.toThrow('the file must exist');
    }));
});
