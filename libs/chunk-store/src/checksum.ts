import { crc32c as nativeCrc32c } from '@node-rs/crc32';

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, 0..2^32-1. Processors compute it in hardware. */
export function crc32c(bytes: Uint8Array): number {
  return nativeCrc32c(bytes);
}
