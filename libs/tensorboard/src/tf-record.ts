/**
 * TFRecord framing: length (uint64), its checksum, the data, its checksum; all little endian. Checksums are CRC-32C, rotated
 * and shifted by a constant, so that checksums of data that holds checksums differ (TensorFlow's record_writer.h).
 */
import { crc32c } from './crc32c.ts';
import { CorruptEventFileError } from './errors.ts';

const HEADER_BYTES = 12;
const CHECKSUM_BYTES = 4;
const MASK_DELTA = 0xa282_ead8;

function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER_BYTES + data.length + CHECKSUM_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(record.subarray(0, 8)), true);
  record.set(data, HEADER_BYTES);
  view.setUint32(HEADER_BYTES + data.length, maskedChecksum(data), true);
  return record;
}

/**
 * The records of a file, as views of its bytes.
 * @throws CorruptEventFileError where a record is cut short or a checksum is wrong.
 */
export function* decodeRecords(file: Uint8Array): Generator<Uint8Array, void> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at < file.length;) {
    const left = file.length - at;
    if (left < HEADER_BYTES) throw new CorruptEventFileError(at, 'a record needs a header of 12 bytes', left);
    const length = Number(view.getBigUint64(at, true));
    assertChecksum(at, 'length', view.getUint32(at + 8, true), file.subarray(at, at + 8));
    const end = at + HEADER_BYTES + length;
    if (end + CHECKSUM_BYTES > file.length) {
      throw new CorruptEventFileError(
        at,
        `the record needs ${length + HEADER_BYTES + CHECKSUM_BYTES} bytes`,
        left,
      );
    }
    const data = file.subarray(at + HEADER_BYTES, end);
    assertChecksum(at, 'data', view.getUint32(end, true), data);
    yield data;
    at = end + CHECKSUM_BYTES;
  }
}

function assertChecksum(at: number, what: string, stored: number, bytes: Uint8Array): void {
  const expected = maskedChecksum(bytes);
  if (stored === expected) return;
  throw new CorruptEventFileError(at, `the checksum of the ${what} must be ${expected}`, stored);
}
