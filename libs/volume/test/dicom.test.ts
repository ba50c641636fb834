import {
  importVolume,
  inspectVolume,
  irc,
  openVolume,
  readVolume,
  VolumeError,
  type Volume,
} from '../src/index.ts';
import { sharedDataPath } from '@lunastream/testing';
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bytesOf, EDGE, faultOf, PIXELS, slice, STORED, toHu, withSeries } from './dicom/synthetic-series.ts';
import { writeDicom, type Attributes, type DicomFile } from '../src/testing/write-dicom.ts';

describe('a DICOM series', () => {
  it('is ordered by position, whatever its names say, and rescaled', async () => {
    const heights = [7.5, 2.5, 10, 5];
    const files = heights.map((z) => slice(z, {}, { pixels: bytesOf(STORED.map((value) => value + z * 2)) }));
    const { geometry, voxelsHu } = await withSeries(files, readVolume);
    expect(geometry).toEqual({
      shape: { depth: 4, height: EDGE, width: EDGE },
      originXyzMm: [-10, -20, 2.5],
      spacingXyzMm: [0.5, 0.75, 2.5],
      direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    });
    const expected = [2.5, 5, 7.5, 10].flatMap((z) => toHu(STORED.map((value) => value + z * 2)));
    expect([...voxelsHu]).toEqual(expected);
  });

  it('is placed along its normal, oblique or upside down', async () => {
    // Rows run along -x, columns along -y and z in equal parts: the normal is x cross y of those.
    const half = Math.SQRT1_2;
    const orientation = `-1\\0\\0\\0\\${-half}\\${half}`;
    const normal = [0, half, half];
    const files = [0, 1, 2].map((step) =>
      slice(0, {
        '00200032': normal.map((part) => (part * step * 3).toFixed(6)).join('\\'),
        '00200037': orientation,
      }),
    );
    const { geometry, isWindowed } = await withSeries(files, inspectVolume);
    expect(isWindowed).toBe(false);
    geometry.direction.forEach((part, index) =>
      expect(part).toBeCloseTo([-1, 0, 0, 0, -half, half, 0, half, half][index]!, 9),
    );
    expect(geometry.spacingXyzMm[2]).toBeCloseTo(3, 5);
  });

  it('reads windows as it reads the whole', async () => {
    const files = [0, 1, 2, 3].map((z) =>
      slice(z, {}, { pixels: bytesOf(STORED.map((value) => value + z)) }),
    );
    await withSeries(files, async (folder) => {
      const whole = await readVolume(folder);
      const reader = await openVolume(folder);
      expect(reader.residentBytes).toBe(0);
      const window = await reader.readWindow(irc(1, 3, 5), { depth: 2, height: 4, width: 6 });
      const expected: number[] = [];
      for (let index = 1; index < 3; index++) {
        for (let row = 3; row < 7; row++) {
          const first = (index * EDGE + row) * EDGE + 5;
          expected.push(...whole.voxelsHu.subarray(first, first + 6));
        }
      }
      expect([...window]).toEqual(expected);
      await reader.close();
      await expect(reader.readWindow(irc(0, 0, 0), { depth: 1, height: 1, width: 1 })).rejects.toThrow(
        'closed',
      );
    });
  });

  it('leaves out hidden files, folders, a DICOMDIR and what is not DICOM', async () => {
    await withSeries([slice(0), slice(1)], async (folder) => {
      await writeFile(join(folder, 'LICENSE'), 'text');
      await writeFile(join(folder, '.hidden.dcm'), 'no DICOM');
      await mkdir(join(folder, 'more'));
      const directory = { attributes: { '00020002': '1.2.840.10008.1.3.10' }, pixels: new Uint8Array(2) };
      await writeFile(join(folder, 'DICOMDIR'), writeDicom(directory));
      expect((await inspectVolume(folder)).geometry.shape.depth).toBe(2);
    });
  });

  it('takes other slopes and intercepts for each slice', async () => {
    const files = [slice(0), slice(1, { '00281052': '100', '00281053': '0.5' })];
    const { voxelsHu } = await withSeries(files, readVolume);
    // 0.5 of an odd value lies half way and goes to the even neighbour.
    const halves = Array.from(STORED, (value) => {
      const floor = Math.floor(value / 2) + 100;
      return value % 2 === 0 || floor % 2 === 0 ? floor : floor + 1;
    });
    expect([...voxelsHu]).toEqual([...toHu(STORED), ...halves]);
  });

  it.each([
    ['a value that rescales to soft tissue', { '00280120': 12 }, 12, -1000],
    ['a range up to its limit', { '00280120': 10, '00280121': 14 }, 13, -1000],
    ['a value below air, which stays', { '00280120': -2000 }, -2000, -4024],
    ['no value: nothing is padding', {}, 12, 0],
  ])('reads padding as air: %s', async (_, change, stored, hu) => {
    const pixels = bytesOf(new Int16Array(PIXELS).fill(5).fill(stored, 0, 3));
    const { voxelsHu } = await withSeries([slice(0, change, { pixels }), slice(1)], readVolume);
    expect([...voxelsHu.subarray(0, 5)]).toEqual([hu, hu, hu, -14, -14]);
  });

  it.each([
    ['12 bits unsigned', { '00280101': 12, '00280102': 11, '00280103': 0 }, 0xf00f, 15],
    ['12 bits signed', { '00280101': 12, '00280102': 11, '00280103': 1 }, 0x5fff, -1],
    ['16 bits unsigned', { '00280103': 0 }, 0x8000, 32768],
  ])('takes what stands above the stored bits off: %s', async (_, change, raw, stored) => {
    const pixels = bytesOf(new Uint16Array(PIXELS).fill(raw));
    const { voxelsHu } = await withSeries([slice(0, change, { pixels }), slice(1, change)], readVolume);
    expect(voxelsHu[0]).toBe(Math.min(32767, stored * 2 - 24));
  });
});

describe('what is no plain CT series is refused', () => {
  const three = (change: Attributes) => [slice(0), slice(1), slice(2, change)];
  it.each<[string, Attributes, string]>([
    ['another modality', { '00080060': 'MR' }, 'Modality (0008,0060) must be CT, got "MR"'],
    ['colour', { '00280002': 3 }, 'SamplesPerPixel (0028,0002) must be 1 (a CT has no colours), got 3'],
    ['colour by name', { '00280004': 'RGB' }, 'PhotometricInterpretation (0028,0004) must be MONOCHROME2'],
    [
      'many frames',
      { '00280008': '10' },
      'NumberOfFrames (0028,0008) must be 1 (a file for each slice), got 10',
    ],
    ['a gantry tilt by tag', { '00181120': '-12.5' }, 'GantryDetectorTilt (0018,1120) must be 0'],
    ['a table of HU', { '00283000': '' }, 'ModalityLUTSequence (0028,3000) must not be given'],
    ['no slope', { '00281053': undefined }, 'RescaleSlope (0028,1053) must be given'],
    ['slope 0', { '00281053': '0' }, 'RescaleSlope (0028,1053) must not be 0'],
    [
      'a slope that is no number',
      { '00281053': '1e999' },
      'RescaleSlope (0028,1053) must be a finite number',
    ],
    ['another unit', { '00281054': 'OD' }, 'RescaleType (0028,1054) must be HU, got "OD"'],
    ['32 bits', { '00280100': 32 }, 'BitsAllocated (0028,0100) must be 8 or 16, got 32'],
    ['more bits than there are', { '00280101': 17 }, 'BitsStored (0028,0101) must be 1 to 16, got 17'],
    ['bits in another place', { '00280102': 14 }, 'HighBit (0028,0102) must be 15'],
    ['an unknown sign', { '00280103': 2 }, 'PixelRepresentation (0028,0103) must be 0 or 1, got 2'],
    ['no rows', { '00280010': 0 }, 'Rows (0028,0010) must be positive, got 0'],
    ['no columns', { '00280011': undefined }, 'Columns (0028,0011) must be given'],
    ['sizes that do not multiply', { '00280010': 17 }, 'PixelData (7FE0,0010) must have 544 bytes'],
    ['sizes beyond all files', { '00280010': 65535, '00280011': 65535 }, 'must have 8589672450 bytes'],
    ['no position', { '00200032': undefined }, 'ImagePositionPatient (0020,0032) must be given'],
    [
      'a position that is none',
      { '00200032': 'a\\b\\c' },
      'ImagePositionPatient (0020,0032) must be 3 finite',
    ],
    [
      'axes that are not perpendicular',
      { '00200037': '1\\0\\0\\0.5\\0.8660254\\0' },
      'perpendicular unit vectors',
    ],
    ['axes that are not unit', { '00200037': '2\\0\\0\\0\\1\\0' }, 'perpendicular unit vectors'],
    ['no distance of rows', { '00280030': '0\\1' }, 'PixelSpacing (0028,0030) must be positive, got 0 and 1'],
    ['no series', { '0020000e': undefined }, 'SeriesInstanceUID (0020,000E) must be given'],
  ])('%s', async (_, change, rule) => {
    const fault = await faultOf(three(change));
    expect(fault.message).toMatch(/^Cannot read \S+2\.dcm: /);
    expect(fault.message).toContain(rule);
    expect(fault.field).toMatch(/^\w+ \([\dA-F]{4},[\dA-F]{4}\)$/);
  });

  it.each<[string, Attributes, string]>([
    ['another series', { '0020000e': '1.2.4' }, 'SeriesInstanceUID (0020,000E) must be the same'],
    ['another spacing', { '00280030': '0.75\\0.6' }, 'PixelSpacing (0028,0030) must be the same'],
    [
      'another orientation',
      { '00200037': '0\\1\\0\\-1\\0\\0' },
      'ImageOrientationPatient (0020,0037) must be the same',
    ],
    ['a missing slice', { '00200032': '-10\\-20\\3' }, 'got 2.000: 1 missing'],
    ['an uneven step', { '00200032': '-10\\-20\\2.1' }, 'got 1.100: steps are uneven'],
    ['a duplicate position', { '00200032': '-10\\-20\\1.0' }, '(a duplicate, or a series with time)'],
    [
      'a tilted gantry by position',
      { '00200032': '-10\\-19.8\\2' },
      'it is 0.20 mm beside it (a tilted gantry)',
    ],
  ])('in a series: %s', async (_, change, rule) => {
    const fault = await faultOf(three(change));
    expect(fault.message).toMatch(/^Cannot read \S+[12]\.dcm: /);
    expect(fault.message).toContain(rule);
  });

  it('slices of different size', async () => {
    const large = slice(2, { '00280010': 8 }, { pixels: bytesOf(STORED.subarray(0, PIXELS / 2)) });
    expect((await faultOf([slice(0), slice(1), large])).message).toContain(
      'Rows (0028,0010) must be the same',
    );
  });

  it('a single slice', async () => {
    expect((await faultOf([slice(0)])).message).toContain('for two slices at least');
  });

  it('positions that differ by rounding are even', async () => {
    const heights = ['0', '3.987', '7.975', '11.962', '15.949'];
    const files = heights.map((z) => slice(0, { '00200032': `-10\\-20\\${z}` }));
    const { geometry } = await withSeries(files, inspectVolume);
    expect(geometry.spacingXyzMm[2]).toBeCloseTo(15.949 / 4, 9);
  });

  it.each([
    [
      'truncated pixels',
      (file: Buffer) => file.subarray(0, -100),
      'must have 512 bytes, got 412: the file is truncated',
    ],
    ['a truncated header', (file: Buffer) => file.subarray(0, 300), 'it is damaged or truncated'],
    ['no DICOM', () => Buffer.from('hello'), 'must have DICM at byte 128'],
  ])('%s', async (_, damage, rule) => {
    expect((await faultOf([slice(0), damage(writeDicom(slice(1)))])).message).toContain(rule);
  });

  it('plain pixels that a header calls compressed, and the other way round', async () => {
    const plain = slice(1, {}, { transferSyntax: '1.2.840.10008.1.2.4.80' });
    expect((await faultOf([slice(0), plain])).message).toContain(
      'must be in fragments as TransferSyntaxUID says',
    );
    const packed = slice(1, {}, { pixels: { fragments: [bytesOf(STORED)] } });
    expect((await faultOf([slice(0), packed])).message).toContain('must be plain as TransferSyntaxUID says');
    const video = slice(1, {}, { transferSyntax: '1.2.840.10008.1.2.4.100', pixels: { fragments: [] } });
    expect((await faultOf([slice(0), video])).message).toContain(
      'TransferSyntaxUID (0002,0010) must be one that',
    );
  });

  it('a file that shrinks after it was opened', async () => {
    await withSeries([slice(0), slice(1)], async (folder) => {
      const reader = await openVolume(folder);
      await writeFile(join(folder, '1.dcm'), 'short');
      const { shape } = reader.geometry;
      await expect(reader.readWindow(irc(0, 0, 0), shape)).rejects.toThrow(/1\.dcm: .*after it was opened/);
      await reader.close();
    });
  });
});

describe('headers of any bytes', () => {
  it('give a volume of the right size or a VolumeError that names the file', async () => {
    const good = writeDicom(slice(1));
    const headerBytes = good.length - PIXELS * 2;
    const changes = fc.array(fc.tuple(fc.nat(headerBytes - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await withSeries([slice(0), good], async (folder) => {
      await fc.assert(
        fc.asyncProperty(changes, fc.option(fc.nat(good.length)), async (edits, length) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of edits) bytes[at] = value;
          await writeFile(join(folder, '1.dcm'), length === null ? bytes : bytes.subarray(0, length));
          const found = await readVolume(folder).catch((error: unknown) => error);
          if (found instanceof VolumeError) expect(found.message).toContain(folder);
          else expect((found as Volume).voxelsHu.length).toBe(2 * PIXELS);
        }),
        { numRuns: 200 },
      );
    });
  });
});

describe('patient data stay inside', () => {
  const SECRETS = ['Doe^Jane', 'MRN-4711', 'Private study'];
  const identified = { '00100010': 'Doe^Jane', '00100020': 'MRN-4711', '00081030': 'Private study' };

  /** Everything reachable from a value, errors with their causes included, as text. */
  function reveal(value: unknown, seen = new Set<unknown>()): string {
    if (typeof value === 'string') return value;
    if (typeof value !== 'object' || value === null || seen.has(value)) return '';
    seen.add(value);
    if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer).toString('latin1');
    const own = Object.getOwnPropertyNames(value).map((key) => (value as Record<string, unknown>)[key]);
    return own.map((part) => reveal(part, seen)).join('\n');
  }

  it('in geometry, header text and a copy', async () => {
    const files = [0, 1].map((z) => slice(z, identified));
    await withSeries(files, async (folder) => {
      const inspection = await inspectVolume(folder);
      const { path } = await importVolume(folder, { folder: join(folder, 'copy'), name: 'scan' });
      const written = readdirSync(join(folder, 'copy')).map((name) =>
        readFileSync(join(folder, 'copy', name), 'latin1'),
      );
      const text = reveal([inspection, path, await readVolume(path), written]);
      for (const secret of SECRETS) expect(text).not.toContain(secret);
      await rm(join(folder, 'copy'), { recursive: true });
    });
  });

  it('in errors, whatever is wrong with the file', async () => {
    const good = writeDicom(slice(1, identified));
    const wrong: (DicomFile | Uint8Array)[] = [
      slice(1, { ...identified, '00080060': 'MR' }),
      slice(1, { ...identified, '0020000e': '1.2.4' }),
      slice(1, { ...identified, '00200032': '-10\\-20\\0' }),
      slice(1, { ...identified, '00281053': 'Doe^Jane' }),
      slice(1, { ...identified, '00281054': 'Doe^Jane' }),
      slice(1, identified, { pixels: new Uint8Array(3) }),
      ...[40, 300, 360, good.length - 600, good.length - 60].map((length) => good.subarray(0, length)),
    ];
    for (const file of wrong) {
      const text = reveal(await faultOf([slice(0, identified), file]));
      for (const secret of SECRETS) expect(text).not.toContain(secret);
    }
  });
});

const dicom = sharedDataPath('dicom');
const lunaMini = sharedDataPath('luna-mini');

describe('real DICOM series', () => {
  it.skipIf(!dicom || !lunaMini)(
    'a slab of LIDC-IDRI-0003 equals its .mhd voxel for voxel [needs shared data dicom, luna-mini]',
    async () => {
      const uid = '1.3.6.1.4.1.14519.5.2.1.6279.6001.170706757615202213033480003264';
      const fromDicom = await readVolume(join(dicom!, 'lidc-0003-slab'));
      const fromMhd = await readVolume(join(lunaMini!, 'subset0', `${uid}.mhd`));
      expect(fromDicom.geometry).toEqual(fromMhd.geometry);
      expect(Buffer.compare(bytesOf(fromDicom.voxelsHu), bytesOf(fromMhd.voxelsHu))).toBe(0);
    },
  );

  it.skipIf(!dicom)('a chest CT equals its NRRD twin [needs shared data dicom]', async () => {
    const fromDicom = await readVolume(join(dicom!, 'cip-ct-64'));
    const fromNrrd = await readVolume(join(dicom!, 'cip-ct-64.nrrd'));
    expect(fromDicom.geometry.shape).toEqual({ depth: 79, height: 64, width: 64 });
    expect(Buffer.compare(bytesOf(fromDicom.voxelsHu), bytesOf(fromNrrd.voxelsHu))).toBe(0);
    expect(fromDicom.geometry.direction).toEqual(fromNrrd.geometry.direction);
    // The DICOM files were written with three decimals.
    fromDicom.geometry.originXyzMm.forEach((part, axis) =>
      expect(part).toBeCloseTo(fromNrrd.geometry.originXyzMm[axis]!, 3),
    );
    fromDicom.geometry.spacingXyzMm.forEach((part, axis) =>
      expect(part).toBeCloseTo(fromNrrd.geometry.spacingXyzMm[axis]!, 4),
    );
  });
});
