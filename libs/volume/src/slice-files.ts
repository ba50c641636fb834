/**
 * The two ways in which MetaImage and NRRD spread voxels over files of equal length: a list of names, and a pattern for
 * C's printf with numbers to put in. Each file holds one slice, or all of them.
 */
import { posix } from 'node:path';

/** A name is no good: `rule` completes "field X ". */
export class FileNameFault extends Error {}

// One %d, %3d or %03d and no other conversion. Nine digits would not fit a file's name anyway.
const PATTERN = /^([^%]*)%(0?)([1-9]?)[di]([^%]*)$/;

export interface NumberedNames {
  readonly pattern: string;
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** @throws FileNameFault when `name` leads out of the header's folder. */
export function assertInFolder(name: string): void {
  const normal = posix.normalize(name);
  const isOutside = posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../');
  if (isOutside || /[\\\0]/.test(name) || normal === '.') {
    throw new FileNameFault(
      `must lie in the header's folder or below, got ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
}

/**
 * The `count` names that a pattern stands for.
 * @throws FileNameFault when it is no pattern, or stands for another number of names: nothing is made before that check.
 */
export function expandPattern({ pattern, first, last, step }: NumberedNames, count: number): string[] {
  const match = PATTERN.exec(pattern);
  if (match === null) {
    throw new FileNameFault(
      `must have one %d or %03d for the number of a file, got ${JSON.stringify(pattern.slice(0, 80))}`,
    );
  }
  const isWhole = [first, last, step].every(Number.isSafeInteger);
  const found = isWhole && step !== 0 ? Math.floor((last - first) / step) + 1 : Number.NaN;
  if (found !== count) {
    throw new FileNameFault(`must stand for ${count} files, got the numbers ${first} to ${last} by ${step}`);
  }
  const [, before = '', zero, width, after = ''] = match;
  return Array.from({ length: count }, (_, index) => {
    const value = first + index * step;
    const sign = value < 0 ? '-' : '';
    const digits = String(Math.abs(value));
    const size = Number(width) || 0;
    const padded =
      zero === '0' ? sign + digits.padStart(size - sign.length, '0') : (sign + digits).padStart(size, ' ');
    return before + padded + after;
  });
}
