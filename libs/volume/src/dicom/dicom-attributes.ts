/**
 * The attributes of a DICOM file that this library may know, by name and tag: geometry, pixel format, rescale. Nothing
 * else is asked for, and dicom-parser's own errors are never passed on, as they carry the whole data set: what names a
 * patient cannot leave in a value, a message or a cause.
 */
import dicomParser from 'dicom-parser';
import { inflateRawSync } from 'node:zlib';
import { BadImageError } from '../errors.ts';

type DataSet = ReturnType<typeof dicomParser.parseDicom>;
type Element = DataSet['elements'][string];

/** An attribute as messages show it, and as dicom-parser spells its tag. */
export interface Attribute {
  readonly name: string;
  readonly tag: string;
}

function attribute(name: string, group: string, element: string): Attribute & { readonly key: string } {
  return { name, tag: `(${group},${element})`, key: `x${group}${element}`.toLowerCase() };
}

export const ATTRIBUTES = {
  mediaStorageClass: attribute('MediaStorageSOPClassUID', '0002', '0002'),
  transferSyntax: attribute('TransferSyntaxUID', '0002', '0010'),
  modality: attribute('Modality', '0008', '0060'),
  gantryTilt: attribute('GantryDetectorTilt', '0018', '1120'),
  seriesUid: attribute('SeriesInstanceUID', '0020', '000E'),
  position: attribute('ImagePositionPatient', '0020', '0032'),
  orientation: attribute('ImageOrientationPatient', '0020', '0037'),
  samplesPerPixel: attribute('SamplesPerPixel', '0028', '0002'),
  photometric: attribute('PhotometricInterpretation', '0028', '0004'),
  frames: attribute('NumberOfFrames', '0028', '0008'),
  rows: attribute('Rows', '0028', '0010'),
  columns: attribute('Columns', '0028', '0011'),
  pixelSpacing: attribute('PixelSpacing', '0028', '0030'),
  bitsAllocated: attribute('BitsAllocated', '0028', '0100'),
  bitsStored: attribute('BitsStored', '0028', '0101'),
  highBit: attribute('HighBit', '0028', '0102'),
  pixelRepresentation: attribute('PixelRepresentation', '0028', '0103'),
  padding: attribute('PixelPaddingValue', '0028', '0120'),
  paddingLimit: attribute('PixelPaddingRangeLimit', '0028', '0121'),
  intercept: attribute('RescaleIntercept', '0028', '1052'),
  slope: attribute('RescaleSlope', '0028', '1053'),
  rescaleType: attribute('RescaleType', '0028', '1054'),
  modalityTable: attribute('ModalityLUTSequence', '0028', '3000'),
  pixelData: attribute('PixelData', '7FE0', '0010'),
} as const;

type KnownAttribute = (typeof ATTRIBUTES)[keyof typeof ATTRIBUTES];

/** A message names the attribute and the rule; values are repeated only where they are numbers or codes of the standard. */
export function dicomFault(path: string, { name, tag }: Attribute, rule: string): BadImageError {
  return new BadImageError(`${name} ${tag} ${rule}`, { path, field: `${name} ${tag}` });
}

// A decimal string as DICOM writes it (PS3.5, VR DS).
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const CODE = /^[\w. ]{1,64}$/;
// What a deflated slice may inflate to.
const LARGEST_INFLATED_BYTES = 2 ** 29;

export class DicomAttributes {
  readonly path: string;
  readonly #dataSet: DataSet;

  private constructor(dataSet: DataSet, path: string) {
    this.path = path;
    this.#dataSet = dataSet;
  }

  /**
   * Parses up to the pixel data, or through them with `withPixels`; undefined where `bytes` end before that, or are no
   * DICOM at all.
   */
  static parse(bytes: Uint8Array, path: string, { withPixels = false } = {}): DicomAttributes | undefined {
    try {
      const until = withPixels ? {} : { untilTag: ATTRIBUTES.pixelData.key };
      return new DicomAttributes(dicomParser.parseDicom(bytes, { ...until, inflater }), path);
    } catch {
      // What was thrown holds the patient's data; all that may be known is that this is no whole DICOM file.
      return undefined;
    }
  }

  fault(attribute: Attribute, rule: string): BadImageError {
    return dicomFault(this.path, attribute, rule);
  }

  /** A code or UID of the standard; undefined where the attribute is absent or empty. */
  code({ key }: KnownAttribute): string | undefined {
    const text = this.#dataSet.string(key);
    return text === undefined || text === '' ? undefined : text;
  }

  /** A code for a message: shown only where it looks like one. */
  showCode(attribute: KnownAttribute): string {
    const code = this.code(attribute);
    if (code === undefined) return 'no such attribute';
    return CODE.test(code) ? JSON.stringify(code) : 'something else';
  }

  has({ key }: KnownAttribute): boolean {
    return this.#dataSet.elements[key] !== undefined;
  }

  decimals(attribute: KnownAttribute, count: number): number[] | undefined {
    const text = this.code(attribute);
    if (text === undefined) return undefined;
    const words = text.split('\\').map((word) => word.trim());
    const numbers = words.map((word) => (DECIMAL.test(word) ? Number(word) : Number.NaN));
    if (words.length !== count || !numbers.every(Number.isFinite)) {
      throw this.fault(attribute, `must be ${count === 1 ? 'a finite number' : `${count} finite numbers`}`);
    }
    return numbers;
  }

  needDecimals(attribute: KnownAttribute, count: number): number[] {
    const numbers = this.decimals(attribute, count);
    if (numbers === undefined) throw this.fault(attribute, 'must be given, got no such attribute');
    return numbers;
  }

  /** An unsigned 16-bit number. */
  uint16(attribute: KnownAttribute): number | undefined {
    const element = this.#element(attribute);
    if (element === undefined || element.length < 2) return undefined;
    return this.#dataSet.uint16(attribute.key);
  }

  needUint16(attribute: KnownAttribute): number {
    const number = this.uint16(attribute);
    if (number === undefined) throw this.fault(attribute, 'must be given, got no such attribute');
    return number;
  }

  /** Where the pixel data start, counted in the parsed bytes, and their length. */
  get pixelData(): {
    readonly offsetBytes: number;
    readonly lengthBytes: number;
    readonly isEncapsulated: boolean;
  } {
    const element = this.#element(ATTRIBUTES.pixelData);
    if (element === undefined) throw this.fault(ATTRIBUTES.pixelData, 'must be given, got no such attribute');
    const isEncapsulated = element.hadUndefinedLength === true;
    return { offsetBytes: element.dataOffset, lengthBytes: element.length, isEncapsulated };
  }

  /** The one frame of encapsulated pixel data; undefined where its fragments are damaged. Needs `withPixels`. */
  readFrame(): Uint8Array | undefined {
    const element = this.#element(ATTRIBUTES.pixelData);
    const fragments = element?.fragments ?? [];
    if (element === undefined || fragments.length === 0) return undefined;
    try {
      return dicomParser.readEncapsulatedPixelDataFromFragments(this.#dataSet, element, 0, fragments.length);
    } catch {
      return undefined;
    }
  }

  /** The bytes that offsets count in: the file's, or those of the inflated file. */
  get bytes(): Uint8Array {
    return this.#dataSet.byteArray;
  }

  #element({ key }: KnownAttribute): Element | undefined {
    return this.#dataSet.elements[key];
  }
}

/** Deflated Explicit VR Little Endian: the file's start as it is, then the rest inflated, within bounds. */
function inflater(bytes: Uint8Array, position: number): Uint8Array {
  const rest = inflateRawSync(bytes.subarray(position), { maxOutputLength: LARGEST_INFLATED_BYTES });
  return Buffer.concat([bytes.subarray(0, position), rest]);
}
