import { endianness } from 'node:os';

/** Byte order of typed arrays on this machine; files that differ are swapped on the way in. */
export const HOST_IS_BIG_ENDIAN = endianness() === 'BE';
