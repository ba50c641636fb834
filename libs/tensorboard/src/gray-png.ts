/** PNG of 8-bit gray (RFC 2083): signature, IHDR, one IDAT, IEND. node:zlib has both of its parts. */
import { crc32, deflateSync } from 'node:zlib';

export interface GrayImage {
  readonly width: number;
  readonly height: number;
  /** Row after row, 0 black to 255 white. */
  readonly pixels: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 8;
const GRAYSCALE = 0;

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** @throws RangeError when the pixels do not fill the picture. */
export function encodeGrayPng({ width, height, pixels }: GrayImage): Uint8Array {
  if (pixels.length !== width * height || pixels.length === 0) {
    throw new RangeError(
      `Cannot encode a picture: it must have ${width} x ${height} pixels, at least one, got ${pixels.length}`,
    );
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([BIT_DEPTH, GRAYSCALE], 8);
  // Every row starts with its filter: none.
  const rows = new Uint8Array(height * (width + 1));
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  const parts = [
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array()),
  ];
  return new Uint8Array(Buffer.concat(parts));
}
