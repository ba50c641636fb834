/** Writes small DICOM files for tests: what a CT slice needs, each attribute replaceable. */
import { deflateRawSync } from 'node:zlib';

/** Value by tag, `ggggeeee`: a text (decimal strings too) or 16-bit numbers; undefined leaves the attribute out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface DicomFile {
  readonly attributes: Attributes;
  /** Native pixels, or a compressed frame cut into fragments. */
  readonly pixels: Uint8Array | { readonly fragments: readonly Uint8Array[] };
  readonly transferSyntax?: string;
}

const IMPLICIT = '1.2.840.10008.1.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const BIG_ENDIAN = '1.2.840.10008.1.2.2';
export const EXPLICIT = '1.2.840.10008.1.2.1';

const VR_OF_TAG: Readonly<Record<string, string>> = {
  '00020002': 'UI',
  '00020010': 'UI',
  '00080060': 'CS',
  '00081030': 'LO',
  '00100010': 'PN',
  '00100020': 'LO',
  '00181120': 'DS',
  '0020000e': 'UI',
  '00200032': 'DS',
  '00200037': 'DS',
  '00280004': 'CS',
  '00280008': 'IS',
  '00280030': 'DS',
  '00281052': 'DS',
  '00281053': 'DS',
  '00281054': 'LO',
  '00283000': 'SQ',
};

function element(
  tag: string,
  value: Uint8Array,
  {
    vr,
    isExplicit = true,
    isBigEndian = false,
    lengthBytes = value.length,
  }: {
    vr: string;
    isExplicit?: boolean;
    isBigEndian?: boolean;
    lengthBytes?: number;
  },
): Buffer {
  const isLong = ['OW', 'OB', 'SQ', 'UN'].includes(vr);
  const head = Buffer.alloc(!isExplicit || !isLong ? 8 : 12);
  const [group, number] = [Number.parseInt(tag.slice(0, 4), 16), Number.parseInt(tag.slice(4), 16)];
  const write16 = (at: number, n: number) =>
    isBigEndian ? head.writeUInt16BE(n, at) : head.writeUInt16LE(n, at);
  const write32 = (at: number, n: number) =>
    isBigEndian ? head.writeUInt32BE(n, at) : head.writeUInt32LE(n, at);
  write16(0, group);
  write16(2, number);
  if (!isExplicit) write32(4, lengthBytes);
  else {
    head.write(vr, 4, 'latin1');
    if (isLong) write32(8, lengthBytes);
    else write16(6, lengthBytes);
  }
  return Buffer.concat([head, value]);
}

function valueBytes(value: string | number, vr: string, isBigEndian: boolean): Buffer {
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(2);
    if (isBigEndian) bytes.writeUInt16BE(value & 0xffff);
    else bytes.writeUInt16LE(value & 0xffff);
    return bytes;
  }
  const padding = vr === 'UI' ? '\0' : ' ';
  return Buffer.from(value.length % 2 === 0 ? value : value + padding, 'latin1');
}

function encapsulate(fragments: readonly Uint8Array[]): Buffer {
  const item = (bytes: Uint8Array) => {
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    const padded = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
    head.writeUInt32LE(padded.length, 4);
    return Buffer.concat([head, padded]);
  };
  const end = Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
  return Buffer.concat([item(new Uint8Array(0)), ...fragments.map(item), end]);
}

export function writeDicom({ attributes, pixels, transferSyntax = EXPLICIT }: DicomFile): Buffer {
  const isExplicit = transferSyntax !== IMPLICIT;
  const isBigEndian = transferSyntax === BIG_ENDIAN;
  const write = (tag: string, value: string | number, order = isBigEndian, explicit = isExplicit) => {
    const vr = VR_OF_TAG[tag] ?? 'US';
    return element(tag, valueBytes(value, vr, order), { vr, isExplicit: explicit, isBigEndian: order });
  };
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const written = entries.flatMap(([tag, value]) =>
    value === undefined || tag.startsWith('0002') ? [] : [write(tag, value)],
  );
  const isEncapsulated = 'fragments' in pixels;
  const pixelData = isEncapsulated
    ? element('7fe00010', encapsulate(pixels.fragments), { vr: 'OB', lengthBytes: 0xffffffff })
    : element('7fe00010', pixels, { vr: 'OW', isExplicit, isBigEndian });
  const meta = Buffer.concat([
    write('00020002', String(attributes['00020002'] ?? '1.2.840.10008.5.1.4.1.1.2'), false, true),
    write('00020010', transferSyntax, false, true),
  ]);
  const metaLength = element('00020000', Buffer.from(Uint32Array.of(meta.length).buffer), { vr: 'UL' });
  const dataSet = Buffer.concat([...written, pixelData]);
  const body = transferSyntax === DEFLATED ? deflateRawSync(dataSet) : dataSet;
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), metaLength, meta, body]);
}

/** Attributes of a CT slice at `z` mm: 16 bits, signed, HU = 2 x stored - 24; rows 0.75 mm apart, columns 0.5 mm. */
export function ctAttributes(
  z: number,
  rows: number,
  columns: number,
): Record<string, string | number | undefined> {
  return {
    '00080060': 'CT',
    '0020000e': '1.2.3',
    '00200032': `-10\\-20\\${z}`,
    '00200037': '1\\0\\0\\0\\1\\0',
    '00280002': 1,
    '00280004': 'MONOCHROME2',
    '00280010': rows,
    '00280011': columns,
    '00280030': '0.75\\0.5',
    '00280100': 16,
    '00280101': 16,
    '00280102': 15,
    '00280103': 1,
    '00281052': '-24',
    '00281053': '2',
    '00281054': 'HU',
  };
}
