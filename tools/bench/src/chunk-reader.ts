import { performance } from 'node:perf_hooks';
import { Metadata } from '@grpc/grpc-js';
import { BorderRule, ChunkServiceClient, type ChunkReference } from '@lunastream/contracts';
import { callUnary, createClient, readStream } from '@lunastream/service-kit';
import type { Shape, XyzMm } from '@lunastream/volume';

/** Chunks that are read: of one scan, around these places. */
export interface ReadChunks {
  readonly seriesUid: string;
  readonly shape: Shape;
  readonly centers: readonly XyzMm[];
}

const STATS_TIMEOUT_MS = 30_000;
/** Streaming is measured this long, after as long to warm up: as raw grpc-js is. */
const STREAM_DURATION_MS = 1_500;
const REFERENCES_PER_CALL = 4096;

/** Reads chunks of a cache as workers do, and takes the time. */
export class ChunkReader {
  readonly #client: ChunkServiceClient;
  readonly #shape: Shape;
  readonly #references: readonly ChunkReference[];

  constructor(address: string, { seriesUid, shape, centers }: ReadChunks) {
    this.#client = createClient(ChunkServiceClient, address);
    this.#shape = shape;
    this.#references = centers.map(([x, y, z]) => ({ seriesUid, centerXyzMm: { x, y, z } }));
  }

  /** Connects, has the cache read the data set and open the scan. */
  async open(): Promise<void> {
    const [{ seriesUid, centerXyzMm }] = this.#references as [ChunkReference];
    // A place beside the first: chunks of the series itself stay cold.
    const aside = { seriesUid, centerXyzMm: { ...centerXyzMm!, x: centerXyzMm!.x + 1e-3 } };
    for await (const chunk of this.#stream([aside])) void chunk;
  }

  close(): void {
    this.#client.close();
  }

  /** Bytes that the cache has read of scans and tables. */
  async sourceReadBytes(): Promise<number> {
    const options = { metadata: new Metadata(), timeoutMs: STATS_TIMEOUT_MS };
    return (await callUnary(this.#client.getChunkStats.bind(this.#client), {}, options)).sourceReadBytes;
  }

  /** Milliseconds of each chunk, one at a time, each in a call of its own. */
  async eachMs(): Promise<number[]> {
    const times: number[] = [];
    for (const reference of this.#references) {
      const startMs = performance.now();
      for await (const chunk of this.#stream([reference])) void chunk;
      times.push(performance.now() - startMs);
    }
    return times;
  }

  /** Chunks a second of so many streams at a time, which ask for the chunks again and again. */
  async chunksPerSecond(streams: number): Promise<number> {
    const references = Array.from(
      { length: REFERENCES_PER_CALL },
      (_, number) => this.#references[number % this.#references.length]!,
    );
    let count = 0;
    let isDone = false;
    const read = async () => {
      while (!isDone) {
        for await (const chunk of this.#stream(references)) {
          void chunk;
          count++;
          if (isDone) break;
        }
      }
    };
    const pause = () => new Promise((resolve) => setTimeout(resolve, STREAM_DURATION_MS));
    const reading = Promise.all(Array.from({ length: streams }, read));
    await pause();
    const [startCount, startMs] = [count, performance.now()];
    await pause();
    const rate = (1000 * (count - startCount)) / (performance.now() - startMs);
    isDone = true;
    await reading;
    return rate;
  }

  async *#stream(references: ChunkReference[]) {
    const call = this.#client.streamChunks({
      dataset: 'default',
      datasetFingerprint: '',
      shape: this.#shape,
      grownShape: undefined,
      border: BorderRule.UNSPECIFIED,
      references,
    });
    for await (const { result } of readStream(call)) {
      if (result?.$case !== 'chunk') throw new Error(`the cache sent no chunk: ${result?.value.message}`);
      yield result.value;
    }
  }
}
