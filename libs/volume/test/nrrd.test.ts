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
const FIELDS = {
  type: 'short',
  dimension: '3',
  space: 'left-posterior-superior',
  sizes: '2 3 4',
  'space directions': '(0.5,0,0) (0,0.75,0) (0,0,2.5)',
  kinds: 'domain domain domain',
  endian: 'little',
  encoding: 'raw',
  'space origin': '(-10,20,-30.5)',
};

function headerOf(change: Readonly<Record<string, string | undefined>> = {}, magic = 'NRRD0004'): string {
  const fields = Object.entries({ ...FIELDS, ...change }).filter(([, value]) => value !== undefined);
  return [magic, '# a comment', ...fields.map(([name, value]) => `${name}: ${value}`), ''].join('\n');
}

async function withScan<Result>(
  header: string,
  data: Uint8Array,
  use: (path: string, folder: string) => Promise<Result>,
): Promise<Result> {
  return withTemporaryFolder(async (folder) => {
    await writeFile(join(folder, 'scan.nrrd'), Buffer.concat([Buffer.from(`${header}\n`), data]));
    return use(join(folder, 'scan.nrrd'), folder);
  });
}

const read = (header: string, data: Uint8Array = BYTES) => withScan(header, data, (path) => readVolume(path));
async function faultOf(header: string, data: Uint8Array = BYTES): Promise<BadImageError> {
  const error: unknown = await read(header, data).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BadImageError);
  return error as BadImageError;
}

describe('NRRD', () => {
  it('reads geometry and voxels, and windows from the file', async () => {
    await withScan(headerOf(), BYTES, async (path) => {
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
  });

  it('turns other spaces into left, posterior, superior', async () => {
    const turned = {
      space: 'RAS',
      'space directions': '(0,-2,0) (3,0,0) (0,0,1)',
      'space origin': '(1,2,3)',
    };
    const { geometry } = await read(headerOf(turned));
    expect(geometry.originXyzMm).toEqual([-1, -2, 3]);
    expect(geometry.spacingXyzMm).toEqual([2, 3, 1]);
    expect(geometry.direction).toEqual([0, -1, 0, 1, 0, 0, 0, 0, 1]);
    const { geometry: las } = await read(headerOf({ space: 'left-anterior-superior' }));
    expect(las.direction).toEqual([1, 0, 0, 0, -1, 0, 0, 0, 1]);
  });

  it.each([
    ['int8', Int8Array.from(VOXELS, (value) => value / 100)],
    ['unsigned char', Uint8Array.from(VOXELS, (value) => value / 100 + 20)],
    ['int16_t', VOXELS],
    ['unsigned short', Uint16Array.from(VOXELS, (value) => value + 1200)],
    ['int', Int32Array.from(VOXELS)],
    ['uint32', Uint32Array.from(VOXELS, (value) => value + 1200)],
    ['longlong', BigInt64Array.from(VOXELS, BigInt)],
    ['uint64', BigUint64Array.from(VOXELS, (value) => BigInt(value + 1200))],
    ['float', Float32Array.from(VOXELS)],
    ['double', Float64Array.from(VOXELS)],
  ] as const)('reads %s, little and big endian', async (type, voxels) => {
    const expected = Array.from(voxels, Number);
    const bytes = Buffer.from(voxels.slice().buffer);
    expect([...(await read(headerOf({ type }), bytes)).voxelsHu]).toEqual(expected);
    const swapped = Buffer.from(bytes);
    if (voxels.BYTES_PER_ELEMENT === 2) swapped.swap16();
    if (voxels.BYTES_PER_ELEMENT === 4) swapped.swap32();
    if (voxels.BYTES_PER_ELEMENT === 8) swapped.swap64();
    expect([...(await read(headerOf({ type, endian: 'big' }), swapped)).voxelsHu]).toEqual(expected);
  });

  it.each<[string, Readonly<Record<string, string | undefined>>, Uint8Array]>([
    ['compressed', { encoding: 'gzip' }, gzipSync(BYTES)],
    [
      'compressed, after bytes to skip',
      { encoding: 'gz', 'byte skip': '3' },
      gzipSync(Buffer.concat([Buffer.alloc(3), BYTES])),
    ],
    ['after bytes to skip', { 'byte skip': '5' }, Buffer.concat([Buffer.alloc(5), BYTES])],
    ['at the end of the file', { byteskip: '-1' }, Buffer.concat([Buffer.alloc(9), BYTES])],
  ])('reads data %s', async (_, change, data) => {
    expect((await read(headerOf(change), data)).voxelsHu).toEqual(VOXELS);
  });

  it.each<[string, string, readonly string[]]>([
    ['one file', 'data file: all.raw', ['all.raw']],
    ['a pattern', 'datafile: s%02d.raw 1 4 1', ['s01.raw', 's02.raw', 's03.raw', 's04.raw']],
    ['a list', 'data file: LIST\nd.raw\nc.raw\nb.raw\na.raw', ['d.raw', 'c.raw', 'b.raw', 'a.raw']],
  ])('reads a header whose data lie in %s', async (_, line, names) => {
    await withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'scan.nhdr'), `${headerOf().trimEnd()}\n${line}\n`);
      const size = BYTES.length / names.length;
      await Promise.all(
        names.map((name, part) =>
          writeFile(join(folder, name), BYTES.subarray(part * size, (part + 1) * size)),
        ),
      );
      expect((await readVolume(join(folder, 'scan.nhdr'))).voxelsHu).toEqual(VOXELS);
      const inspection = await inspectVolume(join(folder, 'scan.nhdr'));
      expect(inspection).toMatchObject({
        dataPath: join(folder, names[0]!),
        dataFileSizeBytes: BYTES.length,
      });
    });
  });

  it.each<[string, Readonly<Record<string, string | undefined>>, string]>([
    ['space', { space: undefined }, 'must be given'],
    ['space', { space: 'scanner-xyz' }, "must name the patient's axes"],
    ['space', { space: 'constructor' }, "must name the patient's axes"],
    ['space directions', { 'space directions': undefined }, 'must be given'],
    ['space directions', { 'space directions': '(1,0,0) (0,1,0) none' }, 'must be 3 x (x,y,z)'],
    ['space directions', { 'space directions': '(1,0,0) (0,1,0) (0,0.2,1)' }, "a tilted gantry's are not"],
    ['space directions', { 'space directions': '(1,0,0) (0,1,0) (0,0,0)' }, 'must be perpendicular'],
    [
      'space directions',
      { 'space directions': '(1,0,0) (0,1,0) (0,0,nan)' },
      'must hold finite numbers, got "nan"',
    ],
    ['space origin', { 'space origin': '(0,0,1e999)' }, 'must hold finite numbers'],
    ['space units', { 'space units': '"m" "m" "m"' }, 'must be "mm" on each axis'],
    ['dimension', { dimension: '4' }, 'must be 3, got "4"'],
    ['kinds', { kinds: 'RGB-color domain domain' }, 'no colours, no time'],
    ['sizes', { sizes: '2 3' }, 'must be three positive whole numbers, got "2 3"'],
    ['sizes', { sizes: '2 3 0' }, 'must be three positive whole numbers'],
    ['sizes', { sizes: '2 3 5' }, 'need 60 bytes, got 48: the data are truncated'],
    ['sizes', { sizes: '2 3 3' }, 'need 36 bytes, got 48'],
    ['sizes', { sizes: '10000 10000 10000' }, 'need 2000000000000 bytes, got 48'],
    ['sizes', { sizes: '10000 10000 10000', encoding: 'gzip' }, 'compressed bytes cannot hold so many'],
    ['sizes', { sizes: '999999999 999999999 9' }, 'must be three positive whole numbers'],
    ['type', { type: 'block' }, 'must be a number type'],
    ['endian', { endian: undefined }, 'must be little or big, got "no such field"'],
    ['encoding', { encoding: 'bzip2' }, 'must be raw or gzip, got "bzip2"'],
    ['line skip', { 'line skip': '2' }, 'must be 0'],
    ['byte skip', { 'byte skip': '-2' }, 'must be 0 or positive'],
    ['byte skip', { 'byte skip': '-1', encoding: 'gzip' }, 'or -1 for raw data'],
    ['data file', { 'data file': '../x.raw' }, "must lie in the header's folder or below"],
    ['data file', { 'data file': 's%d.raw 1 99999999999 1' }, 'must stand for 4 files'],
    ['data file', { 'data file': 'LIST 1' }, 'must give each file 2 dimensions'],
  ])('refuses %s where it is %j', async (field, change, rule) => {
    const fault = await faultOf(headerOf(change));
    expect(fault.message).toContain(rule);
    expect(fault.field).toBe(field);
  });

  it('refuses other files, doubled fields and lines that are none, without repeating them', async () => {
    expect((await faultOf(headerOf({}, 'NRRD0009'))).message).toContain('must start with NRRD0001');
    expect((await faultOf(`${headerOf()}sizes: 1 1 1\n`)).message).toContain('a field must come once');
    const fault = await faultOf(`${headerOf()}Doe, Jane\n`);
    expect(fault.message).toContain('must hold "field: value" lines');
    expect(fault.message).not.toContain('Jane');
  });

  it('keeps comments and key/value pairs to itself', async () => {
    const header = `${headerOf()}PatientName:=Doe^Jane\n# Jane Doe\n`;
    const inspection = await withScan(header, BYTES, (path) => inspectVolume(path));
    expect(JSON.stringify(inspection)).not.toMatch(/Jane|Doe/);
  });

  it('makes a volume of the right size or a VolumeError of any header', async () => {
    const good = Buffer.from(`${headerOf()}\n`);
    const words = fc.constantFrom(
      '',
      '0',
      '-1',
      '1e300',
      '(1,0,0)',
      'none',
      'LIST',
      '%d',
      ':',
      '\n',
      '999999999999',
      'gzip',
    );
    const edits = fc.array(fc.tuple(fc.nat(good.length), fc.nat(8), words), { minLength: 1, maxLength: 4 });
    await withTemporaryFolder(async (folder) => {
      await fc.assert(
        fc.asyncProperty(edits, async (changes) => {
          let bytes: Buffer = good;
          for (const [at, cut, word] of changes) {
            bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(word), bytes.subarray(at + cut)]);
          }
          await writeFile(join(folder, 'scan.nrrd'), Buffer.concat([bytes, BYTES]));
          const found = await readVolume(join(folder, 'scan.nrrd')).catch((error: unknown) => error);
          if (found instanceof VolumeError) expect(found.message).toContain(folder);
          else {
            const { shape } = (found as Volume).geometry;
            expect((found as Volume).voxelsHu.length).toBe(shape.depth * shape.height * shape.width);
          }
        }),
        { numRuns: 300 },
      );
    });
  });
});
