import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createUnzip } from 'node:zlib';
import { BadImageError } from './errors.ts';
import { readBlocks } from './sources/byte-source.ts';
import type { DataRange } from './stored-volume.ts';

function zlibCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code?.startsWith('Z_') === true ? code : undefined;
}

/**
 * Inflates the zlib or gzip stream in `range` into exactly `sizeBytes` bytes, the first `skippedBytes` left out.
 * @throws BadImageError when the stream is damaged or has another length; memory stays at `sizeBytes` whatever it holds.
 */
export async function inflateExactly(
  range: DataRange,
  sizeBytes: number,
  skippedBytes: number,
): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  // Counts from the start of the stream; negative while inside what is left out.
  let position = -skippedBytes;
  const fault = (got: string, cause?: unknown) =>
    new BadImageError(`compressed data must inflate to ${sizeBytes} bytes, got ${got}`, {
      path: range.source.name,
      part: 'data',
      cause,
    });
  try {
    await pipeline(
      Readable.from(readBlocks(range.source, range.offsetBytes, range.sizeBytes)),
      createUnzip(),
      async (inflated: AsyncIterable<Buffer>) => {
        for await (const part of inflated) {
          const used = position < 0 ? part.subarray(Math.min(part.length, -position)) : part;
          if (Math.max(0, position) + used.length > sizeBytes) throw fault('more');
          bytes.set(used, Math.max(0, position));
          position += part.length;
        }
      },
    );
  } catch (error) {
    const code = zlibCode(error);
    if (code === undefined) throw error;
    throw fault(`${Math.max(0, position)} before damaged or truncated data (${code})`, error);
  }
  if (position !== sizeBytes) throw fault(String(Math.max(0, position)));
  return bytes.buffer;
}

/** The first `sizeBytes` bytes of a gzip stream that starts with `compressed`; fewer where it holds fewer. */
export async function inflateStart(
  compressed: Uint8Array,
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(sizeBytes);
  let length = 0;
  const unzip = createUnzip();
  try {
    await pipeline(Readable.from([compressed]), unzip, async (inflated: AsyncIterable<Buffer>) => {
      for await (const part of inflated) {
        bytes.set(part.subarray(0, sizeBytes - length), length);
        length = Math.min(sizeBytes, length + part.length);
        if (length === sizeBytes) return;
      }
    });
  } catch (error) {
    // The stream goes on behind its start, or is none: what could be read is what counts.
    if (
      zlibCode(error) === undefined &&
      (error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE'
    )
      throw error;
  }
  return bytes.slice(0, length);
}
