import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Volume } from '../volume.ts';
import { writeMetaImage } from '../metaimage/write-metaimage.ts';
import { ctAttributes, writeDicom } from './write-dicom.ts';

type Triple = readonly [number, number, number];
type WriteScan = (path: string, volume: Volume) => Promise<void>;

/** The step in mm along an axis of the array (0 column, 1 row, 2 slice), in the patient frame. */
function stepOf({ geometry: { direction, spacingXyzMm } }: Volume, axis: 0 | 1 | 2): Triple {
  return [0, 1, 2].map((row) => direction[row * 3 + axis]! * spacingXyzMm[axis]) as unknown as Triple;
}

function bytesOf({ voxelsHu: { buffer, byteOffset, byteLength } }: Volume): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** https://teem.sourceforge.net/nrrd/format.html */
function nrrd(volume: Volume, encoding: 'raw' | 'gzip'): Buffer {
  const { shape, originXyzMm } = volume.geometry;
  const vector = (values: readonly number[]) => `(${values.join(',')})`;
  const header = [
    'NRRD0004',
    'type: short',
    'dimension: 3',
    'space: left-posterior-superior',
    `sizes: ${shape.width} ${shape.height} ${shape.depth}`,
    `space directions: ${([0, 1, 2] as const).map((axis) => vector(stepOf(volume, axis))).join(' ')}`,
    'kinds: domain domain domain',
    'endian: little',
    `encoding: ${encoding}`,
    `space origin: ${vector(originXyzMm)}`,
    '',
    '',
  ].join('\n');
  const data = encoding === 'raw' ? bytesOf(volume) : gzipSync(bytesOf(volume));
  return Buffer.concat([Buffer.from(header), data]);
}

/** https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h: x and y run to the patient's right and front there. */
function nifti(volume: Volume): Buffer {
  const { shape, originXyzMm, spacingXyzMm } = volume.geometry;
  const header = Buffer.alloc(352);
  header.writeInt32LE(348, 0);
  const sizes = [3, shape.width, shape.height, shape.depth, 1, 1, 1, 1];
  sizes.forEach((size, at) => header.writeInt16LE(size, 40 + 2 * at));
  header.writeInt16LE(4, 70);
  header.writeInt16LE(16, 72);
  [1, ...spacingXyzMm].forEach((size, at) => header.writeFloatLE(size, 76 + 4 * at));
  header.writeFloatLE(352, 108);
  header.writeFloatLE(1, 112);
  header[123] = 2;
  header.writeInt16LE(1, 254);
  const steps = ([0, 1, 2] as const).map((axis) => stepOf(volume, axis));
  for (const row of [0, 1, 2] as const) {
    const sign = row === 2 ? 1 : -1;
    const values = [...steps.map((step) => step[row]), originXyzMm[row]];
    values.forEach((value, at) => header.writeFloatLE(sign * value, 280 + 16 * row + 4 * at));
  }
  header.write('n+1\0', 344, 'latin1');
  return Buffer.concat([header, bytesOf(volume)]);
}

/** A folder of slices, whose names say nothing of their order. */
async function writeDicomFolder(path: string, volume: Volume): Promise<void> {
  const { shape, originXyzMm, spacingXyzMm, direction } = volume.geometry;
  const sliceStep = stepOf(volume, 2);
  const bytes = bytesOf(volume);
  const sliceBytes = bytes.length / shape.depth;
  await mkdir(path, { recursive: true });
  for (let index = 0; index < shape.depth; index++) {
    const attributes = {
      ...ctAttributes(0, shape.height, shape.width),
      '00200032': originXyzMm.map((origin, at) => origin + index * sliceStep[at]!).join('\\'),
      '00200037': [0, 3, 6, 1, 4, 7].map((at) => direction[at]).join('\\'),
      '00280030': `${spacingXyzMm[1]}\\${spacingXyzMm[0]}`,
      '00281052': '0',
      '00281053': '1',
    };
    const pixels = bytes.subarray(index * sliceBytes, (index + 1) * sliceBytes);
    const name = `${(index * 7) % shape.depth}-${index}.dcm`;
    await writeFile(join(path, name), writeDicom({ attributes, pixels }));
  }
}

/** Header and voxels in one file. */
async function writeMha(path: string, volume: Volume, compressed: boolean): Promise<void> {
  const header = `${path}.mhd`;
  const data = `${path}.${compressed ? 'zraw' : 'raw'}`;
  await writeMetaImage(header, volume, { compressed });
  const text = (await readFile(header, 'utf8')).replace(basename(data), 'LOCAL');
  await writeFile(`${path}.mha`, Buffer.concat([Buffer.from(text), await readFile(data)]));
  await Promise.all([rm(header), rm(data)]);
}

const WRITERS = {
  '.mhd with .raw': (path, volume) => writeMetaImage(`${path}.mhd`, volume),
  '.mhd with .zraw': (path, volume) => writeMetaImage(`${path}.mhd`, volume, { compressed: true }),
  '.mha': (path, volume) => writeMha(path, volume, false),
  '.mha, compressed': (path, volume) => writeMha(path, volume, true),
  '.nrrd': (path, volume) => writeFile(`${path}.nrrd`, nrrd(volume, 'raw')),
  '.nrrd, gzip': (path, volume) => writeFile(`${path}.nrrd`, nrrd(volume, 'gzip')),
  '.nii': (path, volume) => writeFile(`${path}.nii`, nifti(volume)),
  '.nii.gz': (path, volume) => writeFile(`${path}.nii.gz`, gzipSync(nifti(volume))),
  'DICOM folder': writeDicomFolder,
} satisfies Readonly<Record<string, WriteScan>>;

/** A way to write a scan. */
export type ScanFormat = keyof typeof WRITERS;

/** Every way to write a scan. */
export const SCAN_FORMATS = Object.keys(WRITERS) as readonly ScanFormat[];

/**
 * Writes `volume` to `path` plus the format's suffix, making the folder. NIfTI keeps geometry in single precision, and DICOM
 * positions as text, so that both give it back rounded.
 */
export async function writeScanAs(format: ScanFormat, path: string, volume: Volume): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await WRITERS[format](path, volume);
}
