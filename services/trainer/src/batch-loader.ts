import type { Batch } from '@lunastream/engine';
import { voxelCount, type Shape } from '@lunastream/volume';

/** Two buffers: one in the engine, one being filled. */
const BUFFER_COUNT = 2;

/** A batch, and how long the engine had to wait for it. */
export interface LoadedBatch {
  readonly batch: Batch;
  /** Ordinal of the batch's first sample. */
  readonly firstOrdinal: number;
  readonly stallMs: number;
}

/** What batches are filled from and how large they are. */
export interface BatchLoaderOptions {
  /** Opens the source: voxels in HU in ordinal order. Its signal aborts when no more batches are wanted. */
  readonly openSamples: (closed: AbortSignal) => AsyncIterable<Float32Array>;
  /** Label of every ordinal: 1 for a nodule, 0 for none, between for mixed samples. */
  readonly labels: Uint8Array | Float32Array;
  readonly batchSize: number;
  readonly chunkShape: Shape;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/**
 * Fills batches in shared memory, one ahead: while the consumer works on a batch, the next is filled. A batch is valid
 * until the next one is asked for. The last batch may be short.
 */
export async function* loadBatches(
  options: BatchLoaderOptions,
): AsyncGenerator<LoadedBatch, void, undefined> {
  const { labels, batchSize, nowMs } = options;
  const sampleLength = voxelCount(options.chunkShape);
  const length = Math.min(batchSize, labels.length) * sampleLength;
  const buffers = Array.from(
    { length: BUFFER_COUNT },
    () => new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT)),
  );
  const closed = new AbortController();
  const source = options.openSamples(closed.signal);
  const samples: AsyncIterator<Float32Array, unknown> = source[Symbol.asyncIterator]();

  const fill = async (batchIndex: number): Promise<Batch> => {
    const firstOrdinal = batchIndex * batchSize;
    const count = Math.min(batchSize, labels.length - firstOrdinal);
    const voxelsHu = buffers[batchIndex % BUFFER_COUNT]!.subarray(0, count * sampleLength);
    for (let position = 0; position < count; position++) {
      const next = await samples.next();
      if (next.done === true)
        throw new Error(`internal: the samples ended at ordinal ${firstOrdinal + position}`);
      voxelsHu.set(next.value, position * sampleLength);
    }
    return { voxelsHu, labels: labels.slice(firstOrdinal, firstOrdinal + count), count };
  };

  const batchCount = Math.ceil(labels.length / batchSize);
  try {
    let filling = batchCount > 0 ? fill(0) : undefined;
    for (let batchIndex = 0; batchIndex < batchCount; batchIndex++) {
      const askedMs = nowMs();
      const batch = await filling!;
      const stallMs = nowMs() - askedMs;
      filling = batchIndex + 1 < batchCount ? fill(batchIndex + 1) : undefined;
      // Awaited in the next turn; until then its failure must not count as unhandled.
      filling?.catch(() => undefined);
      yield { batch, firstOrdinal: batchIndex * batchSize, stallMs };
    }
  } finally {
    // A source that is asked for a sample answers `return` only after it: end what it waits for first.
    closed.abort(new Error('no more batches are wanted'));
    await samples.return?.();
  }
}
