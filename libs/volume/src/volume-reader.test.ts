import { withTemporaryFolder } from '@lunastream/testing';
import fc from 'fast-check';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { irc, voxelCount, xyzMm, type Shape } from './coordinates.ts';
import { BORDER_RULES, cropChunk } from './crop-chunk.ts';
import { BadImageError, MissingImageError, VolumeError } from './errors.ts';
import { IDENTITY_DIRECTION } from './geometry.ts';
import { inspectVolume, openVolume, readChunk, readVolume } from './volume-reader.ts';
import type { Volume } from './volume.ts';
import { writeMetaImage } from './metaimage/write-metaimage.ts';

const SHAPE: Shape = { depth: 12, height: 10, width: 14 };

function testVolume(shape: Shape): Volume {
  return {
    geometry: {
      shape,
      originXyzMm: xyzMm(-10, 20, 30),
      spacingXyzMm: xyzMm(0.7, 0.7, 2.5),
      direction: IDENTITY_DIRECTION,
    },
    voxelsHu: Int16Array.from({ length: voxelCount(shape) }, (_, offset) => ((offset * 7919) % 5000) - 2500),
  };
}

function headerOf(width: number, elementType: string, ...more: string[]): string {
  return [
    'NDims = 3',
    `DimSize = ${width} 1 1`,
    'ElementSpacing = 1 1 1',
    `ElementType = ${elementType}`,
    ...more,
    'ElementDataFile = scan.raw',
    '',
  ].join('\n');
}

/** Writes `header` and `data` as scan.mhd and scan.raw, or, for a LOCAL header, as one scan.mha. */
async function writeScan(folder: string, header: string, data: Uint8Array): Promise<string> {
  if (header.includes('= LOCAL')) {
    await writeFile(join(folder, 'scan.mha'), Buffer.concat([Buffer.from(header), data]));
    return join(folder, 'scan.mha');
  }
  await writeFile(join(folder, 'scan.mhd'), header);
  await writeFile(join(folder, 'scan.raw'), data);
  return join(folder, 'scan.mhd');
}

describe('readChunk()', () => {
  it.each([false, true])(
    'equals cropChunk() of the whole volume everywhere, compressed %s',
    async (compressed) => {
      await withTemporaryFolder(async (folder) => {
        const volume = testVolume(SHAPE);
        const path = join(folder, 'scan.mhd');
        await writeMetaImage(path, volume, { compressed });
        const reader = await openVolume(path);
        const extent = fc.integer({ min: 1, max: 18 });
        await fc.assert(
          fc.asyncProperty(
            fc.tuple(fc.nat(SHAPE.depth - 1), fc.nat(SHAPE.height - 1), fc.nat(SHAPE.width - 1)),
            fc.record({ depth: extent, height: extent, width: extent }),
            async (center, chunkShape) => {
              for (const border of BORDER_RULES) {
                const chunk = await readChunk(reader, irc(...center), chunkShape, border);
                expect(chunk).toEqual(cropChunk(volume, irc(...center), chunkShape, border));
              }
            },
          ),
        );
        await reader.close();
      });
    },
  );

  it('refuses a centre outside', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeMetaImage(join(folder, 'scan.mhd'), testVolume(SHAPE));
      const reader = await openVolume(join(folder, 'scan.mhd'));
      await expect(readChunk(reader, irc(12, 0, 0), SHAPE)).rejects.toThrow(
        'its centre must lie inside the volume of 12x10x14 voxels, got index 12, row 0, column 0',
      );
      await reader.close();
    });
  });
});

describe('VolumeReader', () => {
  it.each([
    [false, 0],
    [true, 12 * 10 * 14 * 2],
  ])(
    'compressed %s holds %i bytes, and refuses windows that are not inside',
    async (compressed, residentBytes) => {
      await withTemporaryFolder(async (folder) => {
        await writeMetaImage(join(folder, 'scan.mhd'), testVolume(SHAPE), { compressed });
        const reader = await openVolume(join(folder, 'scan.mhd'));
        expect(reader.residentBytes).toBe(residentBytes);
        for (const [start, shape] of [
          [irc(-1, 0, 0), SHAPE],
          [irc(0, 1, 0), SHAPE],
          [irc(0, 0, 0), { ...SHAPE, width: 15 }],
          [irc(0, 0, 0), { ...SHAPE, depth: 0 }],
        ] as const) {
          await expect(reader.readWindow(start, shape)).rejects.toThrow(RangeError);
        }
        await reader.close();
        expect(reader.residentBytes).toBe(0);
        await expect(reader.readWindow(irc(0, 0, 0), SHAPE)).rejects.toThrow();
      });
    },
  );

  it('gives new arrays: changing one changes no later read', async () => {
    await withTemporaryFolder(async (folder) => {
      const volume = testVolume(SHAPE);
      await writeMetaImage(join(folder, 'scan.mhd'), volume, { compressed: true });
      const reader = await openVolume(join(folder, 'scan.mhd'));
      (await reader.readWindow(irc(0, 0, 0), SHAPE)).fill(0);
      expect(await reader.readWindow(irc(0, 0, 0), SHAPE)).toEqual(volume.voxelsHu);
      await reader.close();
    });
  });

  it('says that a file was cut after it was opened', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeMetaImage(join(folder, 'scan.mhd'), testVolume(SHAPE));
      const reader = await openVolume(join(folder, 'scan.mhd'));
      await truncate(join(folder, 'scan.raw'), 100);
      await expect(reader.readWindow(irc(0, 0, 0), SHAPE)).rejects.toThrow(/scan\.raw.*3360 bytes.*was cut/);
      await reader.close();
    });
  });
});

describe('readVolume() of element types', () => {
  type Writer = (view: DataView, at: number, value: number, isLittle: boolean) => void;
  const types: [string, number, Writer, number[], number[]][] = [
    ['MET_CHAR', 1, (v, at, n) => v.setInt8(at, n), [-128, 0, 127], [-128, 0, 127]],
    ['MET_UCHAR', 1, (v, at, n) => v.setUint8(at, n), [0, 128, 255], [0, 128, 255]],
    ['MET_SHORT', 2, (v, at, n, le) => v.setInt16(at, n, le), [-32768, -2, 32767], [-32768, -2, 32767]],
    ['MET_USHORT', 2, (v, at, n, le) => v.setUint16(at, n, le), [0, 1000, 65535], [0, 1000, 32767]],
    ['MET_INT', 4, (v, at, n, le) => v.setInt32(at, n, le), [-100000, -7, 100000], [-32768, -7, 32767]],
    ['MET_UINT', 4, (v, at, n, le) => v.setUint32(at, n, le), [0, 7, 4294967295], [0, 7, 32767]],
    ['MET_LONG', 4, (v, at, n, le) => v.setInt32(at, n, le), [-5, 0, 5], [-5, 0, 5]],
    ['MET_ULONG', 4, (v, at, n, le) => v.setUint32(at, n, le), [0, 5, 2 ** 31], [0, 5, 32767]],
    [
      'MET_LONG_LONG',
      8,
      (v, at, n, le) => v.setBigInt64(at, BigInt(n), le),
      [-(2 ** 60), -3, 3],
      [-32768, -3, 3],
    ],
    [
      'MET_ULONG_LONG',
      8,
      (v, at, n, le) => v.setBigUint64(at, BigInt(n), le),
      [0, 3, 2 ** 60],
      [0, 3, 32767],
    ],
    ['MET_FLOAT', 4, (v, at, n, le) => v.setFloat32(at, n, le), [-0.5, 1.5, -1e30, 2.4], [0, 2, -32768, 2]],
    ['MET_DOUBLE', 8, (v, at, n, le) => v.setFloat64(at, n, le), [0.5, 2.5, 1e300, -2.6], [0, 2, 32767, -3]],
  ];
  const cases = types.flatMap((type) => [true, false].map((isLittle) => ({ type, isLittle, name: type[0] })));

  it.each(cases)('reads $name, little endian $isLittle', async ({ type, isLittle }) => {
    const [name, sizeBytes, write, stored, expected] = type;
    await withTemporaryFolder(async (folder) => {
      const view = new DataView(new ArrayBuffer(stored.length * sizeBytes));
      stored.forEach((value, element) => write(view, element * sizeBytes, value, isLittle));
      const header = headerOf(stored.length, name, `ElementByteOrderMSB = ${isLittle ? 'False' : 'True'}`);
      const path = await writeScan(folder, header, new Uint8Array(view.buffer));
      expect([...(await readVolume(path)).voxelsHu]).toEqual(expected);
    });
  });

  it('names the first voxel that is no number', async () => {
    await withTemporaryFolder(async (folder) => {
      const data = new Uint8Array(Float32Array.from([1, Number.NaN, Infinity]).buffer);
      const path = await writeScan(folder, headerOf(3, 'MET_FLOAT'), data);
      await expect(readVolume(path)).rejects.toThrow(
        /scan\.raw: voxels must be finite, got NaN at element 1/,
      );
    });
  });
});

describe('where the data lie', () => {
  const voxels = Uint8Array.from([1, 2, 3, 4, 5]);
  const inflated = headerOf(5, 'MET_UCHAR', 'CompressedData = True');
  const local = (header: string) => header.replace('scan.raw', 'LOCAL');

  it.each([
    ['after a header of the data file', headerOf(5, 'MET_UCHAR', 'HeaderSize = 3'), [9, 9, 9, ...voxels]],
    ['at the end of the data file', headerOf(5, 'MET_UCHAR', 'HeaderSize = -1'), [9, 9, ...voxels]],
    ['behind the header', local(headerOf(5, 'MET_UCHAR')), voxels],
    ['zlib-compressed', inflated, deflateSync(voxels)],
    ['gzip-compressed, as MetaIO too accepts', inflated, gzipSync(voxels)],
    ['zlib-compressed behind the header', local(inflated), deflateSync(voxels)],
    [
      'zlib-compressed, with more behind',
      headerOf(5, 'MET_UCHAR', 'CompressedData = True', `CompressedDataSize = ${deflateSync(voxels).length}`),
      [...deflateSync(voxels), 7, 7],
    ],
  ])('finds data %s', async (_, header, data) => {
    await withTemporaryFolder(async (folder) => {
      const path = await writeScan(folder, header, Uint8Array.from(data));
      expect([...(await readVolume(path)).voxelsHu]).toEqual([...voxels]);
    });
  });

  it.each([
    [
      'truncated',
      headerOf(5, 'MET_UCHAR'),
      voxels.subarray(1),
      'need 5 bytes, got 4: the data are truncated',
    ],
    ['too long', headerOf(5, 'MET_UCHAR'), [...voxels, 6], 'need 5 bytes, got 6: DimSize'],
    [
      'truncated behind a header of its own',
      headerOf(5, 'MET_UCHAR', 'HeaderSize = 9'),
      voxels,
      'got 0: the data',
    ],
    ['truncated with HeaderSize -1', headerOf(5, 'MET_UCHAR', 'HeaderSize = -1'), [1], 'need 5 bytes, got 1'],
    ['absurdly large', headerOf(9_007_199_254, 'MET_DOUBLE'), voxels, 'need 72057594032 bytes, got 5'],
    [
      'absurdly large and compressed',
      headerOf(9_007_199_254, 'MET_DOUBLE', 'CompressedData = True'),
      deflateSync(voxels),
      'compressed bytes cannot hold so many',
    ],
    ['empty and compressed', inflated, [], 'and 0 compressed bytes cannot hold'],
    [
      'shorter than CompressedDataSize',
      headerOf(5, 'MET_UCHAR', 'CompressedData = True', 'CompressedDataSize = 999'),
      deflateSync(voxels),
      'CompressedDataSize says 999 bytes, got 13: the data are truncated',
    ],
    ['inflating to less', inflated, deflateSync(voxels.subarray(1)), 'must inflate to 5 bytes, got 4'],
    [
      'inflating to more',
      inflated,
      deflateSync(Uint8Array.of(...voxels, 6)),
      'must inflate to 5 bytes, got more',
    ],
    ['cut inside the compressed stream', inflated, deflateSync(voxels).subarray(0, 6), '(Z_BUF_ERROR)'],
    ['not compressed at all', inflated, [1, 2, 3, 4, 5, 6], '(Z_DATA_ERROR)'],
  ])('refuses data that are %s', async (_, header, data, rule) => {
    await withTemporaryFolder(async (folder) => {
      const path = await writeScan(folder, header, Uint8Array.from(data));
      const failure = await readVolume(path).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(BadImageError);
      expect((failure as BadImageError).message).toContain(`Cannot read ${join(folder, 'scan.raw')}: `);
      expect((failure as BadImageError).message).toContain(rule);
      expect((failure as BadImageError).part).toBe('data');
    });
  });

  it.each([
    ['a list', 'LIST\nc.raw\na.raw\nb.raw', ['c.raw', 'a.raw', 'b.raw'], []],
    [
      'a list, after a header in each',
      'LIST 2\nc.raw\na.raw\nb.raw',
      ['c.raw', 'a.raw', 'b.raw'],
      ['HeaderSize = 2'],
    ],
    [
      'a list, at the end of each',
      'LIST\nc.raw\na.raw\nb.raw',
      ['c.raw', 'a.raw', 'b.raw'],
      ['HeaderSize = -1'],
    ],
    ['a pattern', 's%03d.raw 3 1 -1', ['s003.raw', 's002.raw', 's001.raw'], []],
  ])('reads slices from %s of files, whole and in windows', async (_, dataFile, names, more) => {
    await withTemporaryFolder(async (folder) => {
      const header = [
        'NDims = 3',
        'DimSize = 4 2 3',
        'ElementSpacing = 1 1 1',
        'ElementType = MET_UCHAR',
        ...more,
      ];
      const path = join(folder, 'scan.mhd');
      await writeFile(path, [...header, `ElementDataFile = ${dataFile}`, ''].join('\n'));
      const values = Array.from({ length: 24 }, (__, voxel) => voxel * 10);
      const skipped = more.length === 0 ? [] : [99, 99];
      for (const [slice, name] of names.entries()) {
        await writeFile(
          join(folder, name),
          Uint8Array.from([...skipped, ...values.slice(slice * 8, slice * 8 + 8)]),
        );
      }
      expect([...(await readVolume(path)).voxelsHu]).toEqual(values);
      const reader = await openVolume(path);
      const window = await reader.readWindow(irc(1, 0, 2), { depth: 2, height: 2, width: 2 });
      expect([...window]).toEqual([10, 11, 14, 15, 18, 19, 22, 23].map((voxel) => voxel * 10));
      await reader.close();
      await truncate(join(folder, names[1]!), 3);
      await expect(openVolume(path)).rejects.toThrow(
        /need 8 bytes in each of 3 files, got [13]: the data are trunc/,
      );
      await rm(join(folder, names[2]!));
      await expect(openVolume(path)).rejects.toThrow(MissingImageError);
    });
  });

  it('takes no more than the header says from a header of any bytes', async () => {
    const header = headerOf(5, 'MET_SHORT', 'HeaderSize = 0', 'CompressedData = False');
    const word = fc.constantFrom(
      '',
      '-1',
      '0',
      '1e99',
      'True',
      'LIST',
      'LOCAL',
      '%d',
      '=',
      '\n',
      '999999999999',
      'MET_CHAR',
    );
    const edits = fc.array(fc.tuple(fc.nat(header.length), fc.nat(8), word), { minLength: 1, maxLength: 4 });
    await withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'scan.raw'), new Uint8Array(10));
      await fc.assert(
        fc.asyncProperty(edits, async (changes) => {
          let text = header;
          for (const [at, cut, put] of changes) text = text.slice(0, at) + put + text.slice(at + cut);
          await writeFile(join(folder, 'scan.mhd'), text);
          const found = await readVolume(join(folder, 'scan.mhd')).catch((error: unknown) => error);
          if (found instanceof VolumeError) expect(found.message).toContain(folder);
          else expect((found as Volume).voxelsHu.length).toBe(voxelCount((found as Volume).geometry.shape));
        }),
        { numRuns: 300 },
      );
    });
  });

  it('refuses files that are missing, folders, and names it does not know', async () => {
    await withTemporaryFolder(async (folder) => {
      await expect(openVolume(join(folder, 'no.mhd'))).rejects.toThrow(/Cannot open .*no\.mhd: no such file/);
      await writeFile(join(folder, 'scan.mhd'), headerOf(5, 'MET_UCHAR'));
      await expect(openVolume(join(folder, 'scan.mhd'))).rejects.toThrow(MissingImageError);
      await mkdir(join(folder, 'scan.raw'));
      await expect(openVolume(join(folder, 'scan.mhd'))).rejects.toThrow(/scan\.raw: it must be a file/);
      await mkdir(join(folder, 'folder.mhd'));
      await expect(openVolume(join(folder, 'folder.mhd'))).rejects.toThrow(/folder\.mhd: it must be a file/);
      await writeFile(join(folder, 'scan.png'), 'no scan');
      await expect(openVolume(join(folder, 'scan.png'))).rejects.toThrow(
        'must end in .nii.gz, .nii, .mhd, .mha, .nrrd, .nhdr, or it must be the folder of a DICOM series',
      );
      await mkdir(join(folder, 'empty'));
      await expect(openVolume(join(folder, 'empty'))).rejects.toThrow('got none');
    });
  });

  it('inspectVolume() says what a header says and where the data are, and reads none of them', async () => {
    await withTemporaryFolder(async (folder) => {
      const header = headerOf(5, 'MET_FLOAT');
      const nonFinite = new Uint8Array(new Float32Array(5).fill(Number.NaN).buffer);
      const path = await writeScan(folder, header, nonFinite);
      expect(await inspectVolume(path)).toMatchObject({
        headerText: header,
        dataPath: join(folder, 'scan.raw'),
        dataFileSizeBytes: 20,
        isWindowed: true,
        geometry: { shape: { depth: 1, height: 1, width: 5 } },
      });
    });
  });
});
