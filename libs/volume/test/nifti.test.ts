import {
  BadImageError,
  inspectVolume,
  irc,
  openVolume,
  readVolume,
  VolumeError,
  type Volume,
} from '../src/index.ts';
import { withTemporaryFolder } from '@lunastream/testing';
import fc from 'fast-check';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

const VOXELS = Int16Array.from({ length: 24 }, (_, voxel) => voxel * 100 - 1200);
const BYTES = Buffer.from(VOXELS.buffer);

interface Header {
  readonly dim?: readonly number[];
  readonly datatype?: number;
  readonly bitpix?: number;
  readonly pixdim?: readonly number[];
  readonly slope?: number;
  readonly intercept?: number;
  readonly units?: number;
  readonly qform?: number;
  readonly sform?: number;
  readonly quaternion?: readonly number[];
  readonly offset?: readonly number[];
  readonly rows?: readonly number[];
  readonly voxOffset?: number;
  readonly isBigEndian?: boolean;
  readonly description?: string;
}

const DEFAULTS = {
  dim: [3, 2, 3, 4, 1, 1, 1, 1],
  datatype: 4,
  bitpix: 16,
  pixdim: [1, 0.5, 0.75, 2.5],
  slope: 1,
  intercept: 0,
  units: 2,
  qform: 0,
  sform: 1,
  quaternion: [0, 0, 0],
  offset: [10, -20, -30.5],
  rows: [-0.5, 0, 0, 10, 0, -0.75, 0, -20, 0, 0, 2.5, -30.5],
  isBigEndian: false,
  description: '',
} as const;

/** A NIfTI-1 header of 352 bytes. */
function nifti1(change: Header = {}): Buffer {
  const header = { ...DEFAULTS, voxOffset: 352, ...change };
  const bytes = Buffer.alloc(352);
  const little = !header.isBigEndian;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setInt32(0, 348, little);
  header.dim.forEach((size, axis) => view.setInt16(40 + 2 * axis, size, little));
  view.setInt16(70, header.datatype, little);
  view.setInt16(72, header.bitpix, little);
  header.pixdim.forEach((size, axis) => view.setFloat32(76 + 4 * axis, size, little));
  view.setFloat32(108, header.voxOffset, little);
  view.setFloat32(112, header.slope, little);
  view.setFloat32(116, header.intercept, little);
  bytes[123] = header.units;
  bytes.write(header.description, 148, 'latin1');
  view.setInt16(252, header.qform, little);
  view.setInt16(254, header.sform, little);
  header.quaternion.forEach((part, index) => view.setFloat32(256 + 4 * index, part, little));
  header.offset.forEach((part, index) => view.setFloat32(268 + 4 * index, part, little));
  header.rows.forEach((part, index) => view.setFloat32(280 + 4 * index, part, little));
  bytes.write('n+1\0', 344, 'latin1');
  return bytes;
}

/** A NIfTI-2 header of 544 bytes. */
function nifti2(change: Header = {}): Buffer {
  const header = { ...DEFAULTS, voxOffset: 544, ...change };
  const bytes = Buffer.alloc(544);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setInt32(0, 540, true);
  bytes.write('n+2\0\r\n\x1a\n', 4, 'latin1');
  view.setInt16(12, header.datatype, true);
  view.setInt16(14, header.bitpix, true);
  header.dim.forEach((size, axis) => view.setBigInt64(16 + 8 * axis, BigInt(size), true));
  header.pixdim.forEach((size, axis) => view.setFloat64(104 + 8 * axis, size, true));
  view.setBigInt64(168, BigInt(header.voxOffset), true);
  view.setFloat64(176, header.slope, true);
  view.setFloat64(184, header.intercept, true);
  view.setInt32(344, header.qform, true);
  view.setInt32(348, header.sform, true);
  header.quaternion.forEach((part, index) => view.setFloat64(352 + 8 * index, part, true));
  header.offset.forEach((part, index) => view.setFloat64(376 + 8 * index, part, true));
  header.rows.forEach((part, index) => view.setFloat64(400 + 8 * index, part, true));
  view.setInt32(500, header.units, true);
  return bytes;
}

async function withScan<Result>(file: Uint8Array, use: (path: string) => Promise<Result>, name = 'scan.nii') {
  return withTemporaryFolder(async (folder) => {
    await writeFile(join(folder, name), file);
    return use(join(folder, name));
  });
}

const read = (header: Buffer, data: Uint8Array = BYTES) =>
  withScan(Buffer.concat([header, data]), (path) => readVolume(path));

async function faultOf(header: Buffer, data: Uint8Array = BYTES): Promise<BadImageError> {
  const error: unknown = await read(header, data).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BadImageError);
  return error as BadImageError;
}

describe('NIfTI', () => {
  it.each([
    ['NIfTI-1', nifti1()],
    ['NIfTI-2', nifti2()],
  ])(
    '%s: reads geometry, its axes turned to left and posterior, and windows from the file',
    async (_, header) => {
      await withScan(Buffer.concat([header, BYTES]), async (path) => {
        const { geometry, voxelsHu } = await readVolume(path);
        expect(geometry).toEqual({
          shape: { depth: 4, height: 3, width: 2 },
          originXyzMm: [-10, 20, -30.5],
          spacingXyzMm: [0.5, 0.75, 2.5],
          direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
        });
        expect(voxelsHu).toEqual(VOXELS);
        const reader = await openVolume(path);
        expect(reader.residentBytes).toBe(0);
        const window = await reader.readWindow(irc(1, 1, 1), { depth: 2, height: 2, width: 1 });
        expect([...window]).toEqual([9, 11, 15, 17].map((voxel) => VOXELS[voxel]));
        await reader.close();
      });
    },
  );

  it.each([
    ['NIfTI-1', nifti1],
    ['NIfTI-2', nifti2],
  ])(
    '%s: takes the quaternion where it is the better known, mirrored by a negative pixdim[0]',
    async (_, make) => {
      // A half turn about z: b = c = 0, d = 1. With qfac -1 the index axis is turned round.
      const change = { qform: 1, sform: 0, quaternion: [0, 0, 1], pixdim: [-1, 0.5, 0.75, 2.5] };
      const { geometry } = await read(make(change));
      expect(geometry.direction.map((part) => Math.round(part * 1e6) / 1e6 + 0)).toEqual([
        1, 0, 0, 0, 1, 0, 0, 0, -1,
      ]);
      expect(geometry.spacingXyzMm).toEqual([0.5, 0.75, 2.5]);
      expect(geometry.originXyzMm).toEqual([-10, 20, -30.5]);
    },
  );

  it('takes a quarter turn, and a quaternion that rounding made longer than 1', async () => {
    const half = Math.SQRT1_2;
    const { geometry } = await read(
      nifti1({ qform: 2, sform: 0, quaternion: [0, 0, half], pixdim: [1, 1, 1, 1] }),
    );
    // Columns run along anterior, rows along right to left: -y and +x in left-posterior-superior.
    const expected = [0, 1, 0, -1, 0, 0, 0, 0, 1];
    geometry.direction.forEach((part, index) => expect(part).toBeCloseTo(expected[index]!, 6));
    const long = await read(nifti1({ qform: 1, sform: 0, quaternion: [0, 0, 1.0000001] }));
    expect(long.geometry.direction[0]).toBeCloseTo(1, 6);
  });

  it.each([
    [2, 8, Uint8Array.from(VOXELS, (value) => value / 100 + 20)],
    [256, 8, Int8Array.from(VOXELS, (value) => value / 100)],
    [512, 16, Uint16Array.from(VOXELS, (value) => value + 1200)],
    [8, 32, Int32Array.from(VOXELS)],
    [768, 32, Uint32Array.from(VOXELS, (value) => value + 1200)],
    [16, 32, Float32Array.from(VOXELS)],
    [64, 64, Float64Array.from(VOXELS)],
    [1024, 64, BigInt64Array.from(VOXELS, BigInt)],
    [1280, 64, BigUint64Array.from(VOXELS, (value) => BigInt(value + 1200))],
  ] as const)('reads datatype %i of %i bits', async (datatype, bitpix, voxels) => {
    const { voxelsHu } = await read(nifti1({ datatype, bitpix }), Buffer.from(voxels.slice().buffer));
    expect([...voxelsHu]).toEqual(Array.from(voxels, Number));
  });

  it('reads big endian, gzip, a gap before the voxels, a fourth dimension of 1, and scaled values', async () => {
    const swapped = Buffer.from(BYTES).swap16();
    expect((await read(nifti1({ isBigEndian: true }), swapped)).voxelsHu).toEqual(VOXELS);
    const gap = Buffer.concat([nifti1({ voxOffset: 400 }), Buffer.alloc(48), BYTES]);
    expect((await withScan(gap, (path) => readVolume(path))).voxelsHu).toEqual(VOXELS);
    const zipped = await withScan(gzipSync(gap), (path) => readVolume(path), 'scan.nii.gz');
    expect(zipped.voxelsHu).toEqual(VOXELS);
    expect((await read(nifti1({ dim: [4, 2, 3, 4, 1] }))).voxelsHu).toEqual(VOXELS);
    const scaled = await read(nifti1({ slope: 0.5, intercept: -1000 }));
    expect([...scaled.voxelsHu]).toEqual(Array.from(VOXELS, (value) => value / 2 - 1000));
    expect((await read(nifti1({ slope: 0, intercept: 7 }))).voxelsHu).toEqual(VOXELS);
  });

  it.each<[string, Header, string]>([
    ['dim', { dim: [4, 2, 3, 4, 5] }, 'no time, no colours'],
    ['dim', { dim: [2, 2, 12] }, 'must be 3 dimensions'],
    ['dim', { dim: [3, 2, 3, 0] }, 'must have three positive sizes, got 2 3 0'],
    ['dim', { dim: [3, 2, 3, -4] }, 'must have three positive sizes'],
    ['dim', { dim: [3, 2, 3, 5] }, 'need 60 bytes, got 48: the data are truncated'],
    ['dim', { dim: [3, 2, 3, 3] }, 'need 36 bytes, got 48'],
    ['dim', { dim: [3, 10000, 10000, 10000] }, 'need 2000000000000 bytes, got 48'],
    ['datatype', { datatype: 128, bitpix: 24 }, 'no colours'],
    ['datatype', { datatype: 32, bitpix: 64 }, 'no complex numbers'],
    ['bitpix', { bitpix: 8 }, 'must be 16 for int16, got 8'],
    ['scl_slope', { slope: Number.NaN }, 'must be finite'],
    ['xyzt_units', { units: 1 }, 'must be mm (2), got 1'],
    ['qform_code', { sform: 0 }, 'the place in the patient is unknown'],
    ['srow_x', { rows: [-0.5, 0, 0, 10, 0, -0.75, 0.5, -20, 0, 0, 2.5, -30.5] }, "a tilted gantry's are not"],
    ['srow_x', { rows: [0, 0, 0, 10, 0, -0.75, 0, -20, 0, 0, 2.5, -30.5] }, 'steps longer than 0 mm'],
    ['srow_x', { rows: [Infinity, 0, 0, 10, 0, -0.75, 0, -20, 0, 0, 2.5, -30.5] }, 'must be finite'],
    ['quatern_b', { qform: 1, sform: 0, pixdim: [1, 0, 1, 1] }, 'steps longer than 0 mm'],
    ['vox_offset', { voxOffset: 100 }, 'must be a whole number from 348 on, got 100'],
    ['vox_offset', { voxOffset: 352.5 }, 'must be a whole number'],
  ])('refuses %s where the header is %j', async (field, change, rule) => {
    const fault = await faultOf(nifti1(change));
    expect(fault.message).toContain(rule);
    expect(fault.field).toBe(field);
  });

  it('refuses a header that claims 10^12 voxels, compressed or NIfTI-2', async () => {
    const huge = { dim: [3, 10000, 10000, 10000] };
    const zipped = gzipSync(Buffer.concat([nifti1(huge), BYTES]));
    await expect(withScan(zipped, (path) => readVolume(path), 'scan.nii.gz')).rejects.toThrow(
      'cannot hold so many',
    );
    expect((await faultOf(nifti2({ dim: [3, 1e15, 1e15, 1e15] }))).message).toContain('three positive sizes');
  });

  it('refuses what is no NIfTI, and gzip that breaks off', async () => {
    expect((await faultOf(Buffer.alloc(400))).message).toContain(
      'must start with a NIfTI-1 or NIfTI-2 header',
    );
    expect((await faultOf(Buffer.alloc(3), Buffer.alloc(0))).message).toContain('must start with a NIfTI-1');
    const zipped = gzipSync(Buffer.concat([nifti1(), BYTES]));
    await expect(withScan(zipped.subarray(0, -12), (path) => readVolume(path))).rejects.toThrow(
      BadImageError,
    );
    await expect(withScan(zipped.subarray(0, 15), (path) => readVolume(path))).rejects.toThrow(BadImageError);
  });

  it('keeps the description to itself', async () => {
    const file = Buffer.concat([nifti1({ description: 'Doe^Jane' }), BYTES]);
    expect(JSON.stringify(await withScan(file, (path) => inspectVolume(path)))).not.toContain('Jane');
    const fault = await faultOf(nifti1({ description: 'Doe^Jane', units: 1 }));
    expect(`${fault.message} ${String(fault.cause)}`).not.toContain('Jane');
  });

  it.each([
    ['NIfTI-1', nifti1()],
    ['NIfTI-2', nifti2()],
  ])('%s: makes a volume of the right size or a VolumeError of any header', async (_, good) => {
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await withTemporaryFolder(async (folder) => {
      const path = join(folder, 'scan.nii');
      await fc.assert(
        fc.asyncProperty(edits, fc.option(fc.nat(good.length + BYTES.length)), async (changes, length) => {
          const file = Buffer.concat([good, BYTES]);
          for (const [at, value] of changes) file[at] = value;
          await writeFile(path, length === null ? file : file.subarray(0, length));
          const found = await readVolume(path).catch((error: unknown) => error);
          if (found instanceof VolumeError) expect(found.message).toContain(path);
          else {
            const { shape } = (found as Volume).geometry;
            expect((found as Volume).voxelsHu.length).toBe(shape.depth * shape.height * shape.width);
          }
        }),
        { numRuns: 200 },
      );
    });
  });
});
