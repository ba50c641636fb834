/** Small series of made-up slices, written to a temporary folder and read back. */
import { BadImageError, readVolume } from '../../src/index.ts';
import { withTemporaryFolder } from '@lunastream/testing';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ctAttributes, writeDicom, type Attributes, type DicomFile } from '../../src/testing/write-dicom.ts';

export const EDGE = 16;
export const PIXELS = EDGE * EDGE;
/** What the slices store, signed. */
export const STORED = Int16Array.from({ length: PIXELS }, (_, pixel) => ((pixel * 7919) % 4000) - 2000);

/** What `slice`'s slope and intercept make of stored values. */
export const toHu = (stored: ArrayLike<number>) => Array.from(stored, (value) => 2 * value - 24);
export const bytesOf = (samples: Int16Array | Uint16Array | Uint8Array) =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
/** A slice at `z` mm with attributes changed. */
export const slice = (z: number, change: Attributes = {}, more: Partial<DicomFile> = {}): DicomFile => ({
  attributes: { ...ctAttributes(z, EDGE, EDGE), ...change },
  pixels: bytesOf(STORED),
  ...more,
});

/** Writes `files` into a new folder, whose names say nothing of their order, and runs `use` with its path. */
export async function withSeries<Result>(
  files: readonly (DicomFile | Uint8Array)[],
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  return withTemporaryFolder(async (folder) => {
    await Promise.all(
      files.map((file, number) =>
        writeFile(join(folder, `${number}.dcm`), file instanceof Uint8Array ? file : writeDicom(file)),
      ),
    );
    return use(folder);
  });
}

/** The error of reading the series `files`. */
export async function faultOf(files: readonly (DicomFile | Uint8Array)[]): Promise<BadImageError> {
  return withSeries(files, async (folder) => {
    const error: unknown = await readVolume(folder).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadImageError);
    return error as BadImageError;
  });
}
