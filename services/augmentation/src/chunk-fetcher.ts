import type {
  ChunkError,
  ChunkReference,
  StreamChunksRequest,
  StreamChunksResponse,
} from '@lunastream/contracts';
import { voxelCount, type Shape } from '@lunastream/volume';
import type { ChunkStreams } from './cache-pods.ts';
import type { RawChunk, RawChunkMemory } from './raw-chunk-memory.ts';

/** References that are looked up, and asked of the cache, together: bounds what a call holds. */
export const WINDOW_CHUNKS = 16;

/** Everything that decides the voxels of chunks but their place. */
export type ChunkForm = Omit<StreamChunksRequest, 'references' | 'grownShape'> & {
  readonly grownShape: Shape;
};

/** A chunk that was fetched, or why there is none. */
export type FetchedChunk = { readonly chunk: RawChunk } | { readonly fault: ChunkError };

/** Gets raw chunks: those that this worker keeps from its memory, the others from the chunk cache. */
export class ChunkFetcher {
  readonly #pods: ChunkStreams;
  readonly #memory: RawChunkMemory;

  constructor(pods: ChunkStreams, memory: RawChunkMemory) {
    this.#pods = pods;
    this.#memory = memory;
  }

  /**
   * A chunk for every reference, in order, lent until it is released. Rejects with the cache's ServiceError, or the
   * signal's reason when it aborts. Chunks of a data set without a fingerprint may change and are not kept.
   */
  async *fetch(
    form: ChunkForm,
    references: readonly ChunkReference[],
    signal: AbortSignal,
  ): AsyncGenerator<FetchedChunk, void, undefined> {
    const formKey = form.datasetFingerprint === '' ? undefined : JSON.stringify(form);
    for (let start = 0; start < references.length; start += WINDOW_CHUNKS) {
      const window = references.slice(start, start + WINDOW_CHUNKS).map((reference) => {
        const key = formKey === undefined ? undefined : keyOf(formKey, reference);
        return { reference, key, kept: key === undefined ? undefined : this.#memory.lend(key) };
      });
      const missing = window.filter(({ kept }) => kept === undefined);
      if (missing.length === 0) {
        for (const { kept } of window) yield { chunk: kept! };
        continue;
      }
      const left = new AbortController();
      const arrivals = this.#receiveAhead(form, missing, AbortSignal.any([signal, left.signal]));
      try {
        for (const { kept } of window) {
          yield kept === undefined ? (await arrivals.shift())! : { chunk: kept };
        }
        await arrivals.shift();
      } finally {
        left.abort(new Error('the chunks are no longer wanted'));
      }
    }
  }

  /**
   * The chunks of `references` from memory, lent until they are released, or undefined where one is not kept. For those
   * who can use chunks at once: `fetch` takes several promises for each.
   */
  lendKept(form: ChunkForm, references: readonly ChunkReference[]): RawChunk[] | undefined {
    if (form.datasetFingerprint === '') return undefined;
    const formKey = JSON.stringify(form);
    return this.#memory.lendAll(references.map((reference) => keyOf(formKey, reference)));
  }

  /** Takes a chunk back whose sample is made. */
  release(chunk: RawChunk): void {
    this.#memory.release(chunk);
  }

  /**
   * What arrives for each of `missing`, then the end of the stream. Answers are taken as they come, whoever waits for
   * them: what gRPC received is garbage at once, and while it is young it costs little to collect.
   */
  #receiveAhead(
    form: ChunkForm,
    missing: readonly { readonly reference: ChunkReference; readonly key: string | undefined }[],
    signal: AbortSignal,
  ): Promise<FetchedChunk | undefined>[] {
    const answers = this.#ask(
      form,
      missing.map(({ reference }) => reference),
      signal,
    );
    let previous: Promise<FetchedChunk | undefined> = Promise.resolve(undefined);
    const after = (receive: () => Promise<FetchedChunk | undefined>) => {
      previous = previous.then(receive);
      // Awaited in its turn; until then its failure must not count as unhandled.
      previous.catch(() => undefined);
      return previous;
    };
    const received = missing.map(({ key }) => after(() => this.#receive(answers, form, key)));
    // A status other than OK comes after the last answer.
    const ended = after(async () => {
      if ((await answers.next()).done !== true) throw new Error('internal: the chunk cache sent too much');
      return undefined;
    });
    return [...received, ended];
  }

  #ask(form: ChunkForm, references: ChunkReference[], signal: AbortSignal) {
    return this.#pods.streamChunks({ ...form, references }, signal);
  }

  async #receive(
    answers: AsyncGenerator<StreamChunksResponse, void, undefined>,
    { grownShape }: ChunkForm,
    key: string | undefined,
  ): Promise<FetchedChunk> {
    const { value: answer } = await answers.next();
    if (answer === undefined) throw new Error('internal: the chunk cache sent too few answers');
    const { result } = answer;
    if (result === undefined) throw new Error('internal: the chunk cache sent an answer without a result');
    if (result.$case === 'error') return { fault: result.value };
    const { voxelsHu } = result.value;
    const sizeBytes = voxelCount(grownShape) * Int16Array.BYTES_PER_ELEMENT;
    if (voxelsHu.byteLength !== sizeBytes) {
      throw new Error(`internal: a chunk of ${sizeBytes} bytes expected, got ${voxelsHu.byteLength}`);
    }
    return { chunk: this.#memory.add(key, voxelsHu) };
  }
}

/** Differs whenever anything differs that the chunk's voxels depend on. */
function keyOf(formKey: string, { seriesUid, centerXyzMm }: ChunkReference): string {
  return `${seriesUid} ${centerXyzMm?.x} ${centerXyzMm?.y} ${centerXyzMm?.z} ${formKey}`;
}
