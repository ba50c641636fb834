import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadDataset, splitCandidates } from '@lunastream/dataset';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { PhantomBackgroundError } from '../errors.ts';
import { generatePhantom } from '../generate-phantom.ts';
import { RealBackgrounds, realScanFolder } from './real-background.ts';
import { stageStream } from '../random-stages.ts';

const REAL = { background: 'real', seed: 7, nodulesPerScan: 4, negativesPerNodule: 40 } as const;

describe("generatePhantom() on background 'real'", () => {
  it('splits by patient: 3DCT_lung trains, 4DCT_chest validates; licences come along', () =>
    withTemporaryFolder(async (folder) => {
      const report = await generatePhantom({ ...REAL, outDir: join(folder, 'out'), scanCount: 4 });
      expect(report).toMatchObject({ positiveCount: 16, negativeCount: 640, patientCount: 2 });
      expect(report.series.map(({ background }) => background)).toEqual([
        '3DCT_lung_baseline',
        '4DCT_chest_t0',
        '3DCT_lung_followup',
        '3DCT_lung_baseline, mirrored',
      ]);
      const { candidates, counts } = await loadDataset(report.outDir);
      expect(counts).toMatchObject({ candidates: 656, positives: 16, outsideScan: 0, badHeader: 0 });
      const { training, validation } = splitCandidates(candidates, { by: 'series' });
      const patients = (side: typeof training) => [...new Set(side.map(({ patientId }) => patientId))];
      expect(patients(training)).toEqual(['real-2-3dct-lung']);
      expect(patients(validation)).toEqual(['real-1-4dct-chest']);
      expect(await readdir(report.outDir)).toEqual(
        expect.arrayContaining(['LICENSE.3DCT_lung', 'LICENSE.4DCT_chest']),
      );
      const readme = await readFile(join(report.outDir, 'README.txt'), 'utf8');
      expect(readme).toMatch(/elastix/);
      expect(readme).toMatch(/plastimatch/);
    }));
});

describe('RealBackgrounds', () => {
  it('makes the same scan from the same seed, and another from another', async () => {
    const backgrounds = new RealBackgrounds(realScanFolder());
    const hashOf = async (seed: number, scanIndex: number) => {
      const { volume } = await backgrounds.at(scanIndex, stageStream(seed, scanIndex, 4));
      return createHash('sha256').update(volume.voxelsHu).digest('hex');
    };
    const first = await hashOf(7, 0);
    expect(await hashOf(7, 0)).toBe(first);
    expect(await hashOf(8, 0)).not.toBe(first);
    expect(await hashOf(7, 3)).not.toBe(first);
  });

  it('names the file when a CT is missing', () =>
    withTemporaryFolder(async (folder) => {
      const error = await new RealBackgrounds(folder)
        .at(0, stageStream(7, 0, 4))
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PhantomBackgroundError);
      expect((error as PhantomBackgroundError).message).toContain(join(folder, '3DCT_lung_baseline.mha'));
    }));
});
