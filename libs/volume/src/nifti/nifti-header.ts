/**
 * What a NIfTI header means (nifti.nimh.nih.gov, nifti1.h and nifti2.h); nifti-reader-js takes the fields apart. NIfTI's
 * patient axes point right, anterior, superior: both first ones are turned round here.
 */
import { NIFTI1, readHeader, type NIFTI2 } from 'nifti-reader-js';
import { voxelCount, xyzMm, type Shape } from '../coordinates.ts';
import { elementSizeBytes, type ElementType, type Encoding, type Rescale } from '../element-type.ts';
import { BadImageError } from '../errors.ts';
import type { VolumeGeometry } from '../geometry.ts';
import { arePerpendicular, fromSteps, norm, type Vector } from '../oriented-axes.ts';

export interface NiftiHeader {
  readonly geometry: VolumeGeometry;
  readonly encoding: Encoding;
  readonly typeName: string;
  /** Where the voxels start, in the inflated file where that is compressed. */
  readonly voxelsOffsetBytes: number;
}

type Fields = NIFTI1 | NIFTI2;

/** NIfTI-2's header with the four bytes of its extension flag; NIfTI-1's is shorter. */
export const LONGEST_NIFTI_HEADER_BYTES = 544;

const NIFTI1_HEADER_BYTES = 348;

const TYPES: Readonly<Record<number, readonly [ElementType, string]>> = {
  2: ['MET_UCHAR', 'uint8'],
  4: ['MET_SHORT', 'int16'],
  8: ['MET_INT', 'int32'],
  16: ['MET_FLOAT', 'float32'],
  64: ['MET_DOUBLE', 'float64'],
  256: ['MET_CHAR', 'int8'],
  512: ['MET_USHORT', 'uint16'],
  768: ['MET_UINT', 'uint32'],
  1024: ['MET_LONG_LONG', 'int64'],
  1280: ['MET_ULONG_LONG', 'uint64'],
};

const SPATIAL_UNITS_MASK = 0x07;
const UNIT_UNKNOWN = 0;
const UNIT_MM = 2;

/** What makes the error for the field `name` that breaks `rule`. */
type Fault = (name: string, rule: string) => BadImageError;

function readShape({ dims }: Fields, fault: Fault): Shape {
  const [count = 0, width = 0, height = 0, depth = 0, ...more] = dims;
  const extra = more.slice(0, Math.max(0, count - 3));
  // Writers of 4-D files give a single volume a fourth dimension of 1.
  if (!(count >= 3 && count <= 7) || extra.some((size) => size !== 1)) {
    throw fault('dim', `must be 3 dimensions (no time, no colours), got ${dims.slice(0, 8).join(' ')}`);
  }
  const shape = { depth, height, width };
  const isPositive = [width, height, depth].every((size) => Number.isSafeInteger(size) && size > 0);
  if (!isPositive || !Number.isSafeInteger(voxelCount(shape))) {
    throw fault('dim', `must have three positive sizes, got ${width} ${height} ${depth}`);
  }
  return shape;
}

/** Column, row and index step and the origin, in NIfTI's axes, of the quaternion form (nifti1.h, "METHOD 2"). */
function fromQuaternion(fields: Fields): readonly [Vector, Vector, Vector, Vector] {
  const { quatern_b: b, quatern_c: c, quatern_d: d, pixDims } = fields;
  // Rounding may leave a hair more than 1 where the angle is 180 degrees.
  const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)));
  const [qfac = 0, x = 0, y = 0, z = 0] = pixDims;
  const indexStep = qfac < 0 ? -z : z;
  return [
    [(a * a + b * b - c * c - d * d) * x, 2 * (b * c + a * d) * x, 2 * (b * d - a * c) * x],
    [2 * (b * c - a * d) * y, (a * a + c * c - b * b - d * d) * y, 2 * (c * d + a * b) * y],
    [
      2 * (b * d + a * c) * indexStep,
      2 * (c * d - a * b) * indexStep,
      (a * a + d * d - c * c - b * b) * indexStep,
    ],
    [fields.qoffset_x, fields.qoffset_y, fields.qoffset_z],
  ];
}

function fromAffine({ affine }: Fields): readonly [Vector, Vector, Vector, Vector] {
  const column = (index: number) =>
    affine.slice(0, 3).map((row) => row[index] ?? Number.NaN) as unknown as Vector;
  return [column(0), column(1), column(2), column(3)];
}

function readGeometry(fields: Fields, fault: Fault): VolumeGeometry {
  const { qform_code: qform, sform_code: sform } = fields;
  if (qform <= 0 && sform <= 0) {
    throw fault('qform_code', 'or sform_code must be positive: the place in the patient is unknown, got 0');
  }
  const units = fields.xyzt_units & SPATIAL_UNITS_MASK;
  if (units !== UNIT_MM && units !== UNIT_UNKNOWN) throw fault('xyzt_units', `must be mm (2), got ${units}`);
  const isQuaternion = qform > sform;
  const toLps = ([x, y, z]: Vector): Vector => [-x + 0, -y + 0, z + 0];
  const [column, row, index, origin] = (isQuaternion ? fromQuaternion(fields) : fromAffine(fields)).map(
    toLps,
  ) as [Vector, Vector, Vector, Vector];
  const name = isQuaternion ? 'quatern_b' : 'srow_x';
  const steps = [column, row, index] as const;
  if (![...steps.flat(), ...origin].every(Number.isFinite))
    throw fault(name, 'and its kin must be finite numbers');
  if (!steps.every((step) => norm(step) > 0))
    throw fault(name, 'and its kin must give steps longer than 0 mm');
  if (!arePerpendicular(steps)) {
    throw fault(name, "and its kin must give perpendicular axes (a tilted gantry's are not)");
  }
  return { shape: readShape(fields, fault), originXyzMm: xyzMm(...origin), ...fromSteps(steps) };
}

function readRescale({ scl_slope: slope, scl_inter: intercept }: Fields, fault: Fault): Rescale | undefined {
  // nifti1.h: a slope of 0 means that there is no scaling.
  if (slope === 0 || (slope === 1 && intercept === 0)) return undefined;
  if (!Number.isFinite(slope) || !Number.isFinite(intercept)) {
    throw fault('scl_slope', `and scl_inter must be finite, got ${slope} and ${intercept}`);
  }
  return { slope, intercept };
}

function readEncoding(fields: Fields, fault: Fault): Pick<NiftiHeader, 'encoding' | 'typeName'> {
  const type = Object.hasOwn(TYPES, fields.datatypeCode) ? TYPES[fields.datatypeCode] : undefined;
  if (type === undefined) {
    throw fault(
      'datatype',
      `must be a number type (no colours, no complex numbers), got ${fields.datatypeCode}`,
    );
  }
  const [elementType, typeName] = type;
  const bits = elementSizeBytes(elementType) * 8;
  if (fields.numBitsPerVoxel !== bits) {
    throw fault('bitpix', `must be ${bits} for ${typeName}, got ${fields.numBitsPerVoxel}`);
  }
  const rescale = readRescale(fields, fault);
  const isBigEndian = !fields.littleEndian;
  return { encoding: { elementType, isBigEndian, ...(rescale === undefined ? {} : { rescale }) }, typeName };
}

/**
 * Reads the header at the start of `bytes`, which hold it whole. Extensions, names and descriptions are not looked at.
 * @throws BadImageError naming file and field.
 */
export function parseNiftiHeader(bytes: Uint8Array, path: string): NiftiHeader {
  const fault: Fault = (name, rule) => new BadImageError(`field ${name} ${rule}`, { path, field: name });
  // Alone in its buffer, as the reader wants it, and zeros behind it: no extension is read.
  const header = new Uint8Array(LONGEST_NIFTI_HEADER_BYTES);
  header.set(bytes.subarray(0, LONGEST_NIFTI_HEADER_BYTES));
  if (
    new DataView(header.buffer).getInt32(0, true) !== 540 &&
    new DataView(header.buffer).getInt32(0) !== 540
  ) {
    header.fill(0, NIFTI1_HEADER_BYTES);
  } else header.fill(0, LONGEST_NIFTI_HEADER_BYTES - 4);
  let fields: Fields;
  try {
    fields = readHeader(header.buffer);
  } catch (error) {
    throw new BadImageError('a NIfTI file must start with a NIfTI-1 or NIfTI-2 header (n+1 or n+2)', {
      path,
      cause: error,
    });
  }
  const shortest = fields instanceof NIFTI1 ? NIFTI1_HEADER_BYTES : LONGEST_NIFTI_HEADER_BYTES - 4;
  const voxelsOffsetBytes = fields.vox_offset;
  if (!Number.isSafeInteger(voxelsOffsetBytes) || voxelsOffsetBytes < shortest) {
    throw fault('vox_offset', `must be a whole number from ${shortest} on, got ${voxelsOffsetBytes}`);
  }
  return { geometry: readGeometry(fields, fault), ...readEncoding(fields, fault), voxelsOffsetBytes };
}
