import type { Batch } from '@lunastream/engine';
import { voxelCount, type Shape } from '@lunastream/volume';
import type { BatchBuffers } from './batch-buffers.ts';
import type { SampleStream } from './sample-source.ts';

/** A batch of a pass. */
export interface LoadedBatch {
  readonly batch: Batch;
  /** Ordinal of the batch's first sample. */
  readonly firstOrdinal: number;
  /** When it was whole, on the clock of the options. */
  readonly readyMs: number;
  /** Gives its memory back, once: nobody may look at its voxels afterwards. */
  readonly release: () => void;
}

/** What batches are filled from and how large they are. */
export interface BatchLoaderOptions {
  /** Closed with the loader. */
  readonly stream: SampleStream;
  /** Label of every ordinal: 1 for a nodule, 0 for none, between for mixed samples. */
  readonly labels: Uint8Array | Float32Array;
  readonly batchSize: number;
  readonly chunkShape: Shape;
  /** Each holds `batchSize` samples. */
  readonly buffers: BatchBuffers;
  /** Where to begin; a whole number of batches. Default 0. */
  readonly firstOrdinal?: number;
  /** Called once every batch has a buffer and is being filled: buffers that come free are no longer for this pass. */
  readonly onAllAsked?: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** A batch on its way. */
interface PendingBatch {
  readonly firstOrdinal: number;
  readonly buffer: Float32Array;
  readonly batch: Batch;
  readonly filled: Promise<void>;
}

/**
 * Fills the batches of a pass, as many at a time as there are buffers, beginning when it is made: while the consumer
 * works on a batch, the next ones are filled. The last batch may be short.
 */
export class BatchLoader {
  readonly #options: BatchLoaderOptions;
  readonly #pending: PendingBatch[] = [];
  #closed: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(options: BatchLoaderOptions) {
    this.#options = options;
    this.#ask().catch((error: unknown) => this.close(error as Error));
  }

  /** The batches in order, each valid until it is released. Closes the loader when it ends. */
  async *batches(): AsyncGenerator<LoadedBatch, void, undefined> {
    const { labels, firstOrdinal: begin = 0, batchSize, buffers, nowMs } = this.#options;
    try {
      for (let firstOrdinal = begin; firstOrdinal < labels.length; firstOrdinal += batchSize) {
        const { batch, buffer, filled } = await this.#next();
        await filled;
        yield { batch, firstOrdinal, readyMs: nowMs(), release: () => buffers.release(buffer) };
      }
    } finally {
      this.close(new Error('no more batches are wanted'));
    }
  }

  /** Ends what is under way; whoever waits for a batch gets `reason`. Buffers under way are lost. */
  close(reason: Error): void {
    this.#closed ??= reason;
    this.#options.stream.close(reason);
    this.#wake();
  }

  async #ask(): Promise<void> {
    const { stream, labels, batchSize, chunkShape, buffers, firstOrdinal: begin = 0 } = this.#options;
    const sampleLength = voxelCount(chunkShape);
    // Nobody is called back before the constructor returned.
    await Promise.resolve();
    for (let firstOrdinal = begin; firstOrdinal < labels.length; firstOrdinal += batchSize) {
      const buffer = await buffers.acquire();
      if (this.#closed !== undefined) return buffers.release(buffer);
      const count = Math.min(batchSize, labels.length - firstOrdinal);
      const voxelsHu = buffer.subarray(0, count * sampleLength);
      const filled = stream.fill(firstOrdinal, voxelsHu);
      // Awaited when its turn comes; until then its failure must not count as unhandled.
      filled.catch(() => undefined);
      const batch = { voxelsHu, labels: labels.slice(firstOrdinal, firstOrdinal + count), count };
      this.#pending.push({ firstOrdinal, buffer, batch, filled });
      this.#wake();
    }
    this.#options.onAllAsked?.();
  }

  async #next(): Promise<PendingBatch> {
    for (;;) {
      if (this.#closed !== undefined) throw this.#closed;
      const next = this.#pending.shift();
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
