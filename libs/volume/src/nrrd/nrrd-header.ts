/**
 * What a NRRD header means (teem.sourceforge.net/nrrd/format.html, NRRD0001 to NRRD0005). Only volumes whose place in the
 * patient is stated are read: `space`, `space directions` and `space origin` have no defaults here.
 */
import { voxelCount, xyzMm, type Shape } from '../coordinates.ts';
import type { ElementType, Encoding } from '../element-type.ts';
import { elementSizeBytes } from '../element-type.ts';
import { BadImageError } from '../errors.ts';
import type { VolumeGeometry } from '../geometry.ts';
import { quote } from '../metaimage/metaimage-fields.ts';
import { arePerpendicular, fromSteps, norm, type Vector } from '../oriented-axes.ts';
import { assertInFolder, expandPattern, FileNameFault } from '../slice-files.ts';

export interface NrrdHeader {
  /** Length of the header, the empty line after it included; where attached data start. */
  readonly sizeBytes: number;
  readonly geometry: VolumeGeometry;
  readonly encoding: Encoding;
  readonly typeName: string;
  readonly isCompressed: boolean;
  /** Bytes before the voxels (of the inflated data, when compressed); -1 means that the voxels come last. */
  readonly skippedBytes: number;
  /** Data files beside the header, which share the voxels equally; undefined when the data follow the header. */
  readonly dataFiles: readonly string[] | undefined;
}

interface Field {
  readonly value: string;
  readonly line: number;
}

const TYPES: Readonly<Record<string, ElementType>> = {
  'signed char': 'MET_CHAR',
  int8: 'MET_CHAR',
  int8_t: 'MET_CHAR',
  uchar: 'MET_UCHAR',
  'unsigned char': 'MET_UCHAR',
  uint8: 'MET_UCHAR',
  uint8_t: 'MET_UCHAR',
  short: 'MET_SHORT',
  'short int': 'MET_SHORT',
  'signed short': 'MET_SHORT',
  'signed short int': 'MET_SHORT',
  int16: 'MET_SHORT',
  int16_t: 'MET_SHORT',
  ushort: 'MET_USHORT',
  'unsigned short': 'MET_USHORT',
  'unsigned short int': 'MET_USHORT',
  uint16: 'MET_USHORT',
  uint16_t: 'MET_USHORT',
  int: 'MET_INT',
  'signed int': 'MET_INT',
  int32: 'MET_INT',
  int32_t: 'MET_INT',
  uint: 'MET_UINT',
  'unsigned int': 'MET_UINT',
  uint32: 'MET_UINT',
  uint32_t: 'MET_UINT',
  longlong: 'MET_LONG_LONG',
  'long long': 'MET_LONG_LONG',
  'long long int': 'MET_LONG_LONG',
  'signed long long': 'MET_LONG_LONG',
  'signed long long int': 'MET_LONG_LONG',
  int64: 'MET_LONG_LONG',
  int64_t: 'MET_LONG_LONG',
  ulonglong: 'MET_ULONG_LONG',
  'unsigned long long': 'MET_ULONG_LONG',
  'unsigned long long int': 'MET_ULONG_LONG',
  uint64: 'MET_ULONG_LONG',
  uint64_t: 'MET_ULONG_LONG',
  float: 'MET_FLOAT',
  double: 'MET_DOUBLE',
};

/** Signs that turn a space's axes into left, posterior, superior: the patient axes of DICOM, ITK and LUNA16. */
const TO_LPS: Readonly<Record<string, Vector>> = {
  'left-posterior-superior': [1, 1, 1],
  lps: [1, 1, 1],
  'right-anterior-superior': [-1, -1, 1],
  ras: [-1, -1, 1],
  'left-anterior-superior': [1, -1, 1],
  las: [1, -1, 1],
};

const NEWLINE = 0x0a;
const MAGIC = /^NRRD000[1-5]$/;
// Two spellings each (the format's "datafile" and so on): the one with a blank is kept.
const SPELLINGS: Readonly<Record<string, string>> = {
  datafile: 'data file',
  lineskip: 'line skip',
  byteskip: 'byte skip',
};
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const DATA_FILE = 'data file';

class NrrdFields {
  readonly path: string;
  readonly sizeBytes: number;
  /** Lines after the last field where that is `data file: LIST`. */
  readonly listed: readonly string[];
  readonly #fields: ReadonlyMap<string, Field>;

  constructor(bytes: Buffer, path: string) {
    this.path = path;
    const fields = new Map<string, Field>();
    const listed: string[] = [];
    let start = 0;
    let line = 1;
    let isList = false;
    for (; ; line++) {
      const newline = bytes.indexOf(NEWLINE, start);
      // A detached header may end with the file; one with data ends with an empty line.
      const end = newline === -1 ? bytes.length : newline + 1;
      const text = bytes.toString('utf8', start, end).trim();
      const isEnd = start >= bytes.length || text === '';
      start = end;
      if (isEnd) break;
      if (line === 1) {
        if (!MAGIC.test(text))
          throw this.#lineFault('a NRRD file must start with NRRD0001 to NRRD0005', line);
      } else if (isList) listed.push(text);
      else {
        const name = this.#addField(fields, text, line);
        isList = name === DATA_FILE && /^LIST(\s|$)/.test(fields.get(name)?.value ?? '');
      }
    }
    if (line === 1) throw this.#lineFault('a NRRD file must start with NRRD0001 to NRRD0005', line);
    this.#fields = fields;
    this.listed = listed;
    this.sizeBytes = start;
  }

  /** Adds the field of a line and returns its name; comments and key/value pairs say nothing of the voxels. */
  #addField(fields: Map<string, Field>, text: string, line: number): string | undefined {
    if (text.startsWith('#')) return undefined;
    const colon = text.indexOf(':');
    if (colon !== -1 && text[colon + 1] === '=') return undefined;
    // The text of the line is not repeated: nobody knows what it holds.
    if (colon < 1) throw this.#lineFault('a NRRD header must hold "field: value" lines', line);
    const spelled = text.slice(0, colon).trim().toLowerCase();
    const name = Object.hasOwn(SPELLINGS, spelled) ? SPELLINGS[spelled]! : spelled;
    const earlier = fields.get(name);
    if (earlier !== undefined)
      throw this.#lineFault(`a field must come once, it is on line ${earlier.line} too`, line);
    fields.set(name, { value: text.slice(colon + 1).trim(), line });
    return name;
  }

  #lineFault(rule: string, line: number): BadImageError {
    return new BadImageError(rule, { path: this.path, line });
  }

  fault(name: string, rule: string): BadImageError {
    const line = this.#fields.get(name)?.line;
    const place = line === undefined ? {} : { line };
    return new BadImageError(`field ${quote(name)} ${rule}`, { path: this.path, field: name, ...place });
  }

  get(name: string): string | undefined {
    return this.#fields.get(name)?.value;
  }

  need(name: string): string {
    const value = this.get(name);
    if (value === undefined || value === '') throw this.fault(name, 'must be given, got no such field');
    return value;
  }

  number(name: string, text: string): number {
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value)) throw this.fault(name, `must hold finite numbers, got ${quote(text)}`);
    return value;
  }

  integer(name: string): number {
    const text = this.get(name);
    if (text === undefined) return 0;
    const value = this.number(name, text);
    if (!Number.isSafeInteger(value)) throw this.fault(name, `must be a whole number, got ${quote(text)}`);
    return value;
  }

  /** Vectors such as `(1,0,0) (0,1,0)`; `none` is no vector. */
  vectors(name: string, count: number): Vector[] {
    const text = this.need(name);
    const parts = text.match(/\([^()]*\)|[^\s()]+/g) ?? [];
    const vectors = parts.map((part) => {
      const numbers = /^\((.*)\)$/.exec(part)?.[1]?.split(',') ?? [];
      if (numbers.length !== 3) throw this.fault(name, `must be ${count} x (x,y,z), got ${quote(text)}`);
      return numbers.map((number) => this.number(name, number.trim())) as unknown as Vector;
    });
    if (vectors.length !== count) throw this.fault(name, `must be ${count} x (x,y,z), got ${quote(text)}`);
    return vectors;
  }
}

function readShape(fields: NrrdFields): Shape {
  const dimension = fields.need('dimension');
  if (dimension !== '3') throw fields.fault('dimension', `must be 3, got ${quote(dimension)}`);
  const text = fields.need('sizes');
  const sizes = text.split(/\s+/).map((word) => fields.number('sizes', word));
  const [width = 0, height = 0, depth = 0] = sizes;
  const shape = { depth, height, width };
  const isPositive = sizes.length === 3 && sizes.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!isPositive || !Number.isSafeInteger(voxelCount(shape))) {
    throw fields.fault('sizes', `must be three positive whole numbers, got ${quote(text)}`);
  }
  return shape;
}

function assertSpatial(fields: NrrdFields): void {
  const kinds = fields.get('kinds');
  if (kinds?.split(/\s+/).every((kind) => /^(domain|space|\?\?\?|none)$/i.test(kind)) === false) {
    throw fields.fault(
      'kinds',
      `must be domain or space on each axis (no colours, no time), got ${quote(kinds)}`,
    );
  }
  const units = fields.get('space units');
  if (units?.match(/"[^"]*"|\S+/g)?.every((unit) => /^"?mm"?$/.test(unit)) === false) {
    throw fields.fault('space units', `must be "mm" on each axis, got ${quote(units)}`);
  }
}

function readGeometry(fields: NrrdFields): VolumeGeometry {
  const space = fields.need('space');
  const toLps = Object.hasOwn(TO_LPS, space.toLowerCase()) ? TO_LPS[space.toLowerCase()] : undefined;
  if (toLps === undefined) {
    throw fields.fault(
      'space',
      `must name the patient's axes, as left-posterior-superior does, got ${quote(space)}`,
    );
  }
  const flip = ([x, y, z]: Vector): Vector => [x * toLps[0] + 0, y * toLps[1] + 0, z * toLps[2] + 0];
  const name = 'space directions';
  const steps = fields.vectors(name, 3).map(flip) as [Vector, Vector, Vector];
  if (!steps.every((step) => norm(step) > 0) || !arePerpendicular(steps)) {
    throw fields.fault(
      name,
      `must be perpendicular (a tilted gantry's are not), got ${quote(fields.need(name))}`,
    );
  }
  const [origin] = fields.vectors('space origin', 1).map(flip);
  return { shape: readShape(fields), originXyzMm: xyzMm(...origin!), ...fromSteps(steps) };
}

function readEncoding(fields: NrrdFields): { readonly encoding: Encoding; readonly typeName: string } {
  const typeName = fields.need('type');
  const elementType = Object.hasOwn(TYPES, typeName.toLowerCase())
    ? TYPES[typeName.toLowerCase()]
    : undefined;
  if (elementType === undefined) {
    throw fields.fault('type', `must be a number type such as short or uint16, got ${quote(typeName)}`);
  }
  const endian = fields.get('endian');
  if (endian === undefined ? elementSizeBytes(elementType) > 1 : !/^(little|big)$/i.test(endian)) {
    throw fields.fault('endian', `must be little or big, got ${quote(endian ?? 'no such field')}`);
  }
  return { encoding: { elementType, isBigEndian: endian?.toLowerCase() === 'big' }, typeName };
}

function readDataFiles(
  fields: NrrdFields,
  shape: Shape,
  isCompressed: boolean,
): readonly string[] | undefined {
  const value = fields.get(DATA_FILE);
  if (value === undefined) return undefined;
  const words = value.split(/\s+/);
  const isList = words[0] === 'LIST';
  const isPattern = words.length >= 4 && value.includes('%');
  const dimensions = isList ? words[1] : words[4];
  if ((isList || isPattern) && dimensions !== undefined && dimensions !== '2') {
    throw fields.fault(DATA_FILE, `must give each file 2 dimensions (a slice), got ${quote(dimensions)}`);
  }
  if ((isList || isPattern) && isCompressed) {
    throw fields.fault(DATA_FILE, 'must be one file when the encoding is gzip');
  }
  if (isList && fields.listed.length !== shape.depth) {
    throw fields.fault(
      DATA_FILE,
      `must list ${shape.depth} files, one for each slice, got ${fields.listed.length}`,
    );
  }
  try {
    const [pattern = '', first, last, step] = words;
    const names = isPattern
      ? expandPattern({ pattern, first: Number(first), last: Number(last), step: Number(step) }, shape.depth)
      : isList
        ? fields.listed
        : [value];
    names.forEach(assertInFolder);
    return names;
  } catch (error) {
    if (error instanceof FileNameFault) throw fields.fault(DATA_FILE, error.message);
    throw error;
  }
}

/**
 * Reads the header at the start of `bytes`.
 * @throws BadImageError naming file, field and line. Comments and key/value pairs appear in no message.
 */
export function parseNrrdHeader(bytes: Buffer, path: string): NrrdHeader {
  const fields = new NrrdFields(bytes, path);
  assertSpatial(fields);
  const geometry = readGeometry(fields);
  const encodingName = fields.need('encoding').toLowerCase();
  if (!['raw', 'gzip', 'gz'].includes(encodingName)) {
    throw fields.fault('encoding', `must be raw or gzip, got ${quote(encodingName)}`);
  }
  const isCompressed = encodingName !== 'raw';
  if (fields.integer('line skip') !== 0) throw fields.fault('line skip', 'must be 0: data are not text');
  const skippedBytes = fields.integer('byte skip');
  if (skippedBytes < -1 || (skippedBytes === -1 && isCompressed)) {
    throw fields.fault('byte skip', `must be 0 or positive, or -1 for raw data, got ${skippedBytes}`);
  }
  return {
    sizeBytes: fields.sizeBytes,
    geometry,
    ...readEncoding(fields),
    isCompressed,
    skippedBytes,
    dataFiles: readDataFiles(fields, geometry.shape, isCompressed),
  };
}
