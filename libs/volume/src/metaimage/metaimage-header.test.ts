import { describe, expect, it } from 'vitest';
import { xyzMm } from '../coordinates.ts';
import { BadImageError } from '../errors.ts';
import { parseMetaImageHeader, type MetaImageOptions } from './metaimage-header.ts';

const GOOD = [
  'ObjectType = Image',
  'NDims = 3',
  'BinaryData = True',
  'BinaryDataByteOrderMSB = False',
  'CompressedData = False',
  'TransformMatrix = 0 1 0 -1 0 0 0 0 1',
  'Offset = -140.10000600000001 -138.5 -327.36999500000002',
  'ElementSpacing = 0.5859379768371582 0.5859379768371582 2.5',
  'DimSize = 512 256 127',
  'ElementType = MET_SHORT',
  'ElementDataFile = scan.raw',
];

const parse = (lines: readonly string[], options?: MetaImageOptions) =>
  parseMetaImageHeader(Buffer.from(`${lines.join('\n')}\n`), 'folder/scan.mhd', options);
/** The good header with the line of `field` replaced by `line`, or dropped, or (a field it lacks) put first. */
function withLine(field: string, line: string | undefined): string[] {
  const isField = (text: string) => text.startsWith(`${field} `);
  if (!GOOD.some(isField)) return [line!, ...GOOD];
  return GOOD.flatMap((text) => (isField(text) ? (line ?? []) : text));
}
function faultOf(lines: readonly string[]): BadImageError {
  try {
    parse(lines);
  } catch (error) {
    if (error instanceof BadImageError) return error;
    throw error;
  }
  throw new Error('the header was accepted');
}

describe('parseMetaImageHeader()', () => {
  it('reads geometry and storage of a LUNA16 header, DimSize as width height depth', () => {
    const header = parse(GOOD);
    expect(header.geometry).toEqual({
      shape: { depth: 127, height: 256, width: 512 },
      originXyzMm: [-140.100006, -138.5, -327.369995],
      spacingXyzMm: [0.5859379768371582, 0.5859379768371582, 2.5],
      direction: [0, -1, 0, 1, 0, 0, 0, 0, 1],
    });
    expect(header.encoding).toEqual({ elementType: 'MET_SHORT', isBigEndian: false });
    expect(header.dataFiles).toEqual(['scan.raw']);
  });

  it('takes Windows line ends, colons, short booleans, synonyms that agree, and fields it does not know', () => {
    const lines = [
      'NDims: 3\r',
      'Modality = MET_MOD_CT\r',
      '\r',
      'Position = 1 2 3\r',
      'Origin = 1.0 2.0  3e0\r',
      'ElementByteOrderMSB = t\r',
      'ElementSpacing = 1 1 1\r',
      'DimSize = 4 5 6\r',
      'ElementType = MET_USHORT\r',
      'ElementDataFile = LOCAL\r',
    ];
    const header = parse(lines);
    expect(header.geometry.originXyzMm).toEqual([1, 2, 3]);
    expect(header.encoding.isBigEndian).toBe(true);
    expect(header.dataFiles).toBeUndefined();
    expect(header.sizeBytes).toBe(lines.join('\n').length + 1);
  });

  it('reads a data file name in UTF-8 and keeps its own size in bytes', () => {
    const header = parse(withLine('ElementDataFile', 'ElementDataFile = Lungenübersicht.raw'));
    expect(header.dataFiles).toEqual(['Lungenübersicht.raw']);
    expect(header.sizeBytes).toBe(header.text.length);
  });

  it('uses an assumed spacing only where the header has none', () => {
    const assumedSpacingXyzMm = xyzMm(9, 9, 9);
    expect(parse(GOOD, { assumedSpacingXyzMm }).geometry.spacingXyzMm[2]).toBe(2.5);
    const without = withLine('ElementSpacing', undefined);
    expect(parse(without, { assumedSpacingXyzMm }).geometry.spacingXyzMm).toEqual([9, 9, 9]);
  });

  it.each([
    ['ElementSpacing', undefined, 'must be given (mm between voxels), got no such field'],
    ['ElementSpacing', 'ElementSpacing = 1 1', 'must be 3 numbers, got "1 1"'],
    ['ElementSpacing', 'ElementSpacing = 1 0 1', 'must be positive, got "1 0 1"'],
    ['ElementSpacing', 'ElementSpacing = 1 -1 1', 'must be positive, got "1 -1 1"'],
    ['ElementSpacing', 'ElementSpacing = 1 nan 1', 'must be 3 numbers, got "1 nan 1"'],
    ['ElementSpacing', 'ElementSpacing = 1 1e999 1', 'must be finite, got "1 1e999 1"'],
    ['ElementSpacing', 'ElementSpacing =', 'must be 3 numbers, got ""'],
    ['Offset', 'Offset = 0 0 inf', 'must be 3 numbers, got "0 0 inf"'],
    ['DimSize', undefined, 'must be given, got no such field'],
    ['DimSize', 'DimSize = 512 512', 'must be 3 numbers, got "512 512"'],
    ['DimSize', 'DimSize = 512 512 0', 'must be three positive whole numbers, got "512 512 0"'],
    ['DimSize', 'DimSize = 512 512 1.5', 'must be three positive whole numbers, got "512 512 1.5"'],
    ['DimSize', 'DimSize = 999999999 999999999 9', 'must be three positive whole numbers, got "9'],
    ['NDims', 'NDims = 2', 'must be 3, got 2'],
    ['NDims', undefined, 'must be 3, got no such field'],
    ['ObjectType', 'ObjectType = Tube', 'must be Image, got "Tube"'],
    [
      'BinaryData',
      'BinaryData = False',
      'must be True (numbers written as text are not supported), got False',
    ],
    ['CompressedData', 'CompressedData = maybe', 'must be True or False, got "maybe"'],
    ['CompressedDataSize', 'CompressedDataSize = -5', 'must not be negative, got -5'],
    ['TransformMatrix', 'TransformMatrix = 1 0 0 2 0 0 0 0 1', 'must be invertible'],
    ['TransformMatrix', 'TransformMatrix = 1 0 0 1', 'must be 9 numbers, got "1 0 0 1"'],
    ['ElementType', 'ElementType = MET_STRING', 'must be one of MET_CHAR'],
    ['ElementType', 'ElementType = constructor', 'must be one of MET_CHAR'],
    ['ElementType', undefined, 'got "no such field"'],
    ['ElementNumberOfChannels', 'ElementNumberOfChannels = 3', 'must be 1 (a CT has no colours), got 3'],
    [
      'ElementToIntensityFunctionSlope',
      'ElementToIntensityFunctionSlope = 2',
      'must be 1 (voxels must be stored in HU)',
    ],
    ['HeaderSize', 'HeaderSize = -2', 'must be -1, 0 or positive, got -2'],
    ['ElementDataFile', 'ElementDataFile = LIST', 'must list 127 files, one for each slice, got 0'],
    ['ElementDataFile', 'ElementDataFile = LIST 1', 'must give each file 2 or 3 dimensions, got "1"'],
    ['ElementDataFile', 'ElementDataFile = LIST 2 2', 'must be LIST or LIST 2'],
    [
      'ElementDataFile',
      'ElementDataFile = slice%03d.raw 1 10 1',
      'must stand for 127 files, got the numbers 1 to 10 by 1',
    ],
    ['ElementDataFile', 'ElementDataFile = slice%03d.raw 1 999999999999 1', 'must stand for 127 files'],
    ['ElementDataFile', 'ElementDataFile = slice%03d.raw 1 127 0', 'must stand for 127 files'],
    ['ElementDataFile', 'ElementDataFile = slice%s.raw 1 127 1', 'must have one %d or %03d'],
    ['ElementDataFile', 'ElementDataFile = %d/%d.raw 1 127 1', 'must have one %d or %03d'],
    ['ElementDataFile', 'ElementDataFile = ../%d.raw 1 127 1', "must lie in the header's folder or below"],
    ['ElementDataFile', 'ElementDataFile = ../secret.raw', "must lie in the header's folder or below"],
    ['ElementDataFile', 'ElementDataFile = a/../../secret.raw', "must lie in the header's folder or below"],
    ['ElementDataFile', 'ElementDataFile = /etc/hosts', "must lie in the header's folder or below"],
    ['ElementDataFile', 'ElementDataFile =', 'must name the data file, or be LOCAL, got nothing'],
  ])('refuses a header whose %s is %j', (field, line, rule) => {
    const lines = withLine(field, line);
    const fault = faultOf(lines);
    const number = lines.findIndex((text) => text === line) + 1;
    const place = number === 0 ? 'folder/scan.mhd' : `folder/scan.mhd:${number}`;
    expect(fault.message).toContain(`Cannot read ${place}: field ${field} `);
    expect(fault.message).toContain(rule);
    expect(fault.field).toBe(field);
  });

  it('refuses synonyms that disagree', () => {
    expect(faultOf(['Origin = 1 2 3', ...GOOD]).message).toContain(
      'folder/scan.mhd:1: field Origin must agree with its synonym Offset (-140.10000600000001 -138.5',
    );
  });

  it.each([
    ['slice%03d.raw', 'slice001.raw', 'slice127.raw'],
    ['s%d.raw 0', 's0.raw', 's126.raw'],
    ['deep/%4d.raw 10 262 2', 'deep/  10.raw', 'deep/ 262.raw'],
    ['s%d.raw 127 1 -1', 's127.raw', 's1.raw'],
    ['s%02d.raw -3 123 1 2', 's-3.raw', 's123.raw'],
  ])('gives the pattern %j a name for each slice', (pattern, first, last) => {
    const { dataFiles } = parse(withLine('ElementDataFile', `ElementDataFile = ${pattern}`));
    expect([dataFiles?.length, dataFiles?.[0], dataFiles?.at(-1)]).toEqual([127, first, last]);
  });

  it('gives a pattern of whole volumes one name', () => {
    const lines = withLine('ElementDataFile', 'ElementDataFile = s%d.raw 5 5 1 3');
    expect(parse(lines).dataFiles).toEqual(['s5.raw']);
  });

  it('takes the names after LIST, and refuses ones that lead away or too many', () => {
    const names = Array.from({ length: 127 }, (_, slice) => `a slice ${slice}.raw`);
    const lines = [...withLine('ElementDataFile', 'ElementDataFile = LIST'), ...names];
    const header = parse(lines);
    expect(header.dataFiles).toEqual(names);
    expect(header.sizeBytes).toBe(lines.slice(0, GOOD.length).join('\n').length + 1);
    expect(faultOf([...lines, 'more.raw']).message).toContain('got 128');
    expect(faultOf([...lines.slice(0, -1), '/etc/hosts']).message).toContain("the header's folder or below");
  });

  it('refuses one compressed stream that lies in many files', () => {
    const lines = withLine('CompressedData', 'CompressedData = True').map((line) =>
      line.replace('scan.raw', 's%d.raw'),
    );
    expect(faultOf(lines).message).toContain('must be one file when CompressedData is True');
  });

  it('refuses compressed data without a known start', () => {
    const lines = ['HeaderSize = -1', ...withLine('CompressedData', 'CompressedData = True')];
    expect(faultOf(lines).message).toContain('folder/scan.mhd:1: field HeaderSize must not be -1');
  });

  it('reads 64 kB of blanks inside a value without stalling', () => {
    const value = `${' '.repeat(65_000)}x`;
    const start = performance.now();
    expect(parse([`Comment = ${value}`, ...GOOD]).dataFiles).toEqual(['scan.raw']);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('refuses a line that is no field, a field that comes twice, and a header without end', () => {
    expect(faultOf(['NDims = 3', 'hello']).message).toContain(
      'folder/scan.mhd:2: a MetaImage header must hold',
    );
    expect(faultOf(['NDims = 3', ...GOOD]).message).toContain(
      'folder/scan.mhd:3: field NDims must come once, it is on line 1 too',
    );
    expect(faultOf(GOOD.slice(0, -1)).message).toContain('must have the field ElementDataFile');
    expect(faultOf(['']).message).toContain('must have the field ElementDataFile');
  });
});
