/** Transfer syntaxes by UID (PS3.5 of the DICOM standard, section 10 and annex A; PS3.6 for the UIDs). */
export const TRANSFER_SYNTAX = {
  implicitLittleEndian: '1.2.840.10008.1.2',
  explicitLittleEndian: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
  explicitBigEndian: '1.2.840.10008.1.2.2',
  rle: '1.2.840.10008.1.2.5',
  jpegBaseline: '1.2.840.10008.1.2.4.50',
  jpegExtended: '1.2.840.10008.1.2.4.51',
  jpegLossless: '1.2.840.10008.1.2.4.57',
  jpegLosslessFirstOrder: '1.2.840.10008.1.2.4.70',
  jpegLsLossless: '1.2.840.10008.1.2.4.80',
  jpegLsNearLossless: '1.2.840.10008.1.2.4.81',
  jpeg2000Lossless: '1.2.840.10008.1.2.4.90',
  jpeg2000: '1.2.840.10008.1.2.4.91',
  htJpeg2000Lossless: '1.2.840.10008.1.2.4.201',
  htJpeg2000LosslessRpcl: '1.2.840.10008.1.2.4.202',
  htJpeg2000: '1.2.840.10008.1.2.4.203',
} as const;

export type CodecName = 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000' | 'ht-jpeg-2000';

const CODEC_OF_SYNTAX: ReadonlyMap<string, CodecName> = new Map([
  [TRANSFER_SYNTAX.rle, 'rle'],
  [TRANSFER_SYNTAX.jpegBaseline, 'jpeg'],
  [TRANSFER_SYNTAX.jpegExtended, 'jpeg'],
  [TRANSFER_SYNTAX.jpegLossless, 'jpeg-lossless'],
  [TRANSFER_SYNTAX.jpegLosslessFirstOrder, 'jpeg-lossless'],
  [TRANSFER_SYNTAX.jpegLsLossless, 'jpeg-ls'],
  [TRANSFER_SYNTAX.jpegLsNearLossless, 'jpeg-ls'],
  [TRANSFER_SYNTAX.jpeg2000Lossless, 'jpeg-2000'],
  [TRANSFER_SYNTAX.jpeg2000, 'jpeg-2000'],
  [TRANSFER_SYNTAX.htJpeg2000Lossless, 'ht-jpeg-2000'],
  [TRANSFER_SYNTAX.htJpeg2000LosslessRpcl, 'ht-jpeg-2000'],
  [TRANSFER_SYNTAX.htJpeg2000, 'ht-jpeg-2000'],
]);

const NATIVE: ReadonlySet<string> = new Set([
  TRANSFER_SYNTAX.implicitLittleEndian,
  TRANSFER_SYNTAX.explicitLittleEndian,
  TRANSFER_SYNTAX.deflated,
  TRANSFER_SYNTAX.explicitBigEndian,
]);

/** True when pixels are stored as plain numbers. */
export function isNativeSyntax(uid: string): boolean {
  return NATIVE.has(uid);
}

export function isCompressedSyntax(uid: string): boolean {
  return CODEC_OF_SYNTAX.has(uid);
}

/** The codec that unpacks a frame; undefined for native pixels and for syntaxes that are not read here. */
export function codecOf(uid: string): CodecName | undefined {
  return CODEC_OF_SYNTAX.get(uid);
}
