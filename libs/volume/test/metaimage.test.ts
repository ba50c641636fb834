import { readVolume, xyzMm } from '../src/index.ts';
import { sharedDataPath, workspaceRoot } from '@lunastream/testing';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What VTK's reader, which is MetaIO, makes of a file of ITK's test data; the hash is of the voxels in their own type. */
interface VtkReading {
  readonly file: string;
  readonly can_read: boolean;
  readonly dims: [number, number, number];
  readonly spacing: [number, number, number];
  readonly origin: [number, number, number];
  readonly dtype: 'uint8' | 'uint16' | 'uint32';
  readonly sha256: string;
}

const FOLDER = join(workspaceRoot, 'libs/volume/test/metaimage');
const ARRAY_OF_DTYPE = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };
// VTK assumes 1 mm where a header states no spacing; we want the caller to say so.
const WITHOUT_SPACING = ['Input/BigEndian.mhd', 'Input/LittleEndian.mhd'];
const VTK_SPACING = xyzMm(1, 1, 1);

const readings = readFileSync(join(FOLDER, 'expected.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as VtkReading);

describe("ITK's MetaImage files", () => {
  it('are all in expected.jsonl', () => {
    const headers = ['Baseline', 'Examples', 'Input'].flatMap((folder) =>
      readdirSync(join(FOLDER, folder))
        .filter((name) => /\.mh[ad]$/.test(name))
        .map((name) => `${folder}/${name}`),
    );
    expect(readings.map(({ file }) => file).sort()).toEqual(headers.sort());
    expect(readings.every((reading) => reading.can_read)).toBe(true);
  });

  it.each(readings)('$file reads as VTK reads it', async (vtk) => {
    const options = WITHOUT_SPACING.includes(vtk.file) ? { assumedSpacingXyzMm: VTK_SPACING } : {};
    const { geometry, voxelsHu } = await readVolume(join(FOLDER, vtk.file), options);
    const { depth, height, width } = geometry.shape;
    expect([width, height, depth]).toEqual(vtk.dims);
    expect(geometry.spacingXyzMm).toEqual(vtk.spacing);
    expect(geometry.originXyzMm).toEqual(vtk.origin);
    // Every value of these files fits int16, so going back to the stored type loses nothing.
    const stored = ARRAY_OF_DTYPE[vtk.dtype].from(voxelsHu);
    expect(createHash('sha256').update(stored).digest('hex')).toBe(vtk.sha256);
  });

  it.each(WITHOUT_SPACING)('%s is refused when nobody says what its spacing is', async (file) => {
    await expect(readVolume(join(FOLDER, file))).rejects.toThrow('field ElementSpacing must be given');
  });

  it('HeadMRVolumeWithDirection001.mhd has its rows reversed', async () => {
    const { geometry } = await readVolume(join(FOLDER, 'Input/HeadMRVolumeWithDirection001.mhd'));
    expect(geometry.direction).toEqual([1, 0, 0, 0, -1, 0, 0, 0, 1]);
  });
});

const lunaMini = sharedDataPath('luna-mini');
const lunaCsv = sharedDataPath('luna-csv');

describe('real LUNA16 files', () => {
  it.skipIf(!lunaMini)('a slab of LIDC-IDRI-0003 reads as CT [needs shared data luna-mini]', async () => {
    const uid = '1.3.6.1.4.1.14519.5.2.1.6279.6001.170706757615202213033480003264';
    const { geometry, voxelsHu } = await readVolume(join(lunaMini!, 'subset0', `${uid}.mhd`));
    expect(geometry.shape).toEqual({ depth: 11, height: 512, width: 512 });
    expect(geometry.spacingXyzMm).toEqual([0.820312, 0.820312, 2.5]);
    // Air around the patient is near -1000 HU, soft tissue near 0: a byte-swapped or shifted read is neither.
    const share = (low: number, high: number) =>
      voxelsHu.reduce((count, hu) => count + (hu >= low && hu < high ? 1 : 0), 0) / voxelsHu.length;
    expect(share(-1100, -700)).toBeGreaterThan(0.2);
    expect(share(-150, 150)).toBeGreaterThan(0.2);
  });

  it.skipIf(!lunaCsv)(
    '90 headers parse, and their missing data are named [needs shared data luna-csv]',
    async () => {
      const folder = join(lunaCsv!, 'mhd-headers');
      const headers = readdirSync(folder).filter((name) => name.endsWith('.mhd'));
      expect(headers.length).toBe(90);
      for (const name of headers) {
        const data = name.replace('.mhd', '.raw').replaceAll('.', '\\.');
        await expect(readVolume(join(folder, name))).rejects.toThrow(
          new RegExp(`^Cannot open .*${data}: no such file$`),
        );
      }
    },
  );
});
