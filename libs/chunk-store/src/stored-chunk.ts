import { endianness } from 'node:os';
import { crc32c } from './checksum.ts';

/**
 * The bytes of a stored chunk: CRC-32C of the voxels (4 bytes, little-endian), then int16 voxels (little-endian).
 */
const CHECKSUM_BYTES = 4;
const BYTES_PER_VOXEL = Int16Array.BYTES_PER_ELEMENT;

// All supported hosts are little-endian; the check turns a silent corruption on any other into an error.
if (endianness() !== 'LE') throw new Error('Cannot store chunks: this host is big-endian');

/** Returns a new buffer that holds `voxels` with their checksum. */
export function encodeStoredChunk(voxels: Int16Array): Buffer {
  const bytes = Buffer.from(voxels.buffer, voxels.byteOffset, voxels.byteLength);
  const stored = Buffer.allocUnsafe(CHECKSUM_BYTES + bytes.byteLength);
  stored.writeUInt32LE(crc32c(bytes), 0);
  bytes.copy(stored, CHECKSUM_BYTES);
  return stored;
}

/** Returns a copy of the voxels, or undefined when the checksum or the length does not fit. */
export function decodeStoredChunk(stored: Uint8Array): Int16Array | undefined {
  const buffer = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const sizeBytes = buffer.byteLength - CHECKSUM_BYTES;
  if (sizeBytes < 0 || sizeBytes % BYTES_PER_VOXEL !== 0) return undefined;
  const bytes = buffer.subarray(CHECKSUM_BYTES);
  if (crc32c(bytes) !== buffer.readUInt32LE(0)) return undefined;
  const voxels = new Int16Array(sizeBytes / BYTES_PER_VOXEL);
  new Uint8Array(voxels.buffer).set(bytes);
  return voxels;
}
