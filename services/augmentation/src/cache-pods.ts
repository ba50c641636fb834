import type { ClientReadableStream } from '@grpc/grpc-js';
import type {
  ChunkReference,
  ChunkServiceClient,
  StreamChunksRequest,
  StreamChunksResponse,
} from '@lunastream/contracts';
import {
  errorText,
  isServiceError,
  rankServers,
  readStream,
  type ServerAddress,
} from '@lunastream/service-kit';
import { REFUSALS } from './refusals.ts';

/** A pod that just failed is asked last for as long. */
const REST_MS = 1_000;

/** Where chunks come from: an answer for every reference, in order. */
export interface ChunkStreams {
  streamChunks(
    request: StreamChunksRequest,
    signal: AbortSignal,
  ): AsyncGenerator<StreamChunksResponse, void, undefined>;
}

/** What is called of a chunk cache. */
export type ChunkClient = Pick<ChunkServiceClient, 'streamChunks' | 'close'>;

/** What the pods are made of. */
export interface CachePodsOptions {
  /** Makes the client of a pod; connects when first used. */
  readonly connect: (server: ServerAddress) => ChunkClient;
  /** Told in a sentence when a pod failed and others are asked in its place. */
  readonly onFailover: (sentence: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

interface Pod {
  readonly address: string;
  readonly client: ChunkClient;
  restsUntilMs: number;
}

/** A reference and its place in the request. */
interface Wanted {
  readonly reference: ChunkReference;
  readonly index: number;
}

/**
 * The chunk caches of this worker. A scan has one pod, chosen by rendezvous hash of its series_uid: its chunks are kept
 * there and nowhere else, so that pods add up. When a pod fails, its scans go to their second choice.
 */
export class CachePods implements ChunkStreams {
  readonly #options: CachePodsOptions;
  #pods = new Map<string, Pod>();

  constructor(options: CachePodsOptions) {
    this.#options = options;
  }

  /** Takes in new pods and lets go those that are gone; streams under way end in their own time. */
  setServers(servers: readonly ServerAddress[]): void {
    const known = this.#pods;
    this.#pods = new Map(
      servers.map((server) => {
        const { address } = server;
        const pod = known.get(address) ?? {
          address,
          client: this.#options.connect(server),
          restsUntilMs: -Infinity,
        };
        return [address, pod];
      }),
    );
    for (const [address, { client }] of known) if (!this.#pods.has(address)) client.close();
  }

  /**
   * An answer for every reference, in order, each from the pod of its scan.
   * @throws the ServiceError of the last pod that was asked in vain, a pod's refusal, or the signal's reason.
   */
  async *streamChunks(
    request: StreamChunksRequest,
    signal: AbortSignal,
  ): AsyncGenerator<StreamChunksResponse, void, undefined> {
    const { references } = request;
    const answers = new AnswersInOrder(this.#openStreams(request, signal, allOf(references), new Set()));
    try {
      for (let index = 0; index < references.length; index++) {
        for (;;) {
          const stream = answers.streamOf(index);
          try {
            yield { ...(await stream.next()), referenceIndex: index };
            break;
          } catch (error) {
            answers.replace(stream, this.#afterFailure(error, stream, request, signal));
          }
        }
      }
      for (const stream of answers.streams) await stream.end();
    } finally {
      for (const stream of answers.streams) await stream.close();
    }
  }

  close(): void {
    for (const { client } of this.#pods.values()) client.close();
  }

  /** A stream per pod that has some of `wanted`, without those in `failed`. */
  #openStreams(
    request: StreamChunksRequest,
    signal: AbortSignal,
    wanted: readonly Wanted[],
    failed: ReadonlySet<string>,
  ): PodStream[] {
    const byPod = new Map<Pod, Wanted[]>();
    for (const item of wanted) {
      const pod = this.#podOf(item.reference.seriesUid, failed);
      const group = byPod.get(pod);
      if (group === undefined) byPod.set(pod, [item]);
      else group.push(item);
    }
    return [...byPod].map(([pod, group]) => {
      const references = group.map(({ reference }) => reference);
      const stream = pod.client.streamChunks({ ...request, references });
      return new PodStream({ address: pod.address, failed }, group, stream, signal);
    });
  }

  /** The best pod of a scan that has not failed this request; those that rest come last. */
  #podOf(seriesUid: string, failed: ReadonlySet<string>): Pod {
    const ranked = rankServers(
      seriesUid,
      [...this.#pods.keys()].filter((address) => !failed.has(address)),
    );
    const pods = ranked.map((address) => this.#pods.get(address)!);
    const nowMs = this.#options.nowMs();
    const pod = pods.find(({ restsUntilMs }) => restsUntilMs <= nowMs) ?? pods[0];
    if (pod === undefined) throw new NoPodError('no chunk cache is known');
    return pod;
  }

  /** Streams that bring what the failed one still owed. */
  #afterFailure(
    error: unknown,
    stream: PodStream,
    request: StreamChunksRequest,
    signal: AbortSignal,
  ): PodStream[] {
    if (signal.aborted || !isServiceError(error) || REFUSALS.has(error.code)) throw error;
    const pod = this.#pods.get(stream.address);
    if (pod !== undefined) pod.restsUntilMs = this.#options.nowMs() + REST_MS;
    const failed = new Set([...stream.failed, stream.address]);
    if ([...this.#pods.keys()].every((address) => failed.has(address))) throw error;
    this.#options.onFailover(`chunk cache ${stream.address} failed, others are asked: ${errorText(error)}`);
    return this.#openStreams(request, signal, stream.owed, failed);
  }
}

/** No pod is known. */
export class NoPodError extends Error {
  readonly tag = 'NoPodError';
}

function allOf(references: readonly ChunkReference[]): Wanted[] {
  return references.map((reference, index) => ({ reference, index }));
}

/** What one pod was asked for. It is read only when its turn comes, and may have failed by then. */
class PodStream {
  readonly address: string;
  /** Pods that failed what is asked here. */
  readonly failed: ReadonlySet<string>;
  readonly #stream: ClientReadableStream<StreamChunksResponse>;
  readonly #answers: AsyncGenerator<StreamChunksResponse, void, undefined>;
  #owed: readonly Wanted[];
  #error: Error | undefined;

  constructor(
    pod: { readonly address: string; readonly failed: ReadonlySet<string> },
    wanted: readonly Wanted[],
    stream: ClientReadableStream<StreamChunksResponse>,
    signal: AbortSignal,
  ) {
    this.address = pod.address;
    this.failed = pod.failed;
    this.#owed = wanted;
    this.#stream = stream;
    stream.on('error', (error) => (this.#error ??= error));
    this.#answers = readStream(stream, signal);
  }

  /** What has not come yet. */
  get owed(): readonly Wanted[] {
    return this.#owed;
  }

  async next(): Promise<StreamChunksResponse> {
    const { value } = await this.#answers.next();
    // A stream that failed before it was read just ends.
    if (value === undefined) throw this.#error ?? new Error('internal: the chunk cache sent too few answers');
    this.#owed = this.#owed.slice(1);
    return value;
  }

  /** A status other than OK comes after the last answer. */
  async end(): Promise<void> {
    if ((await this.#answers.next()).done !== true)
      throw new Error('internal: the chunk cache sent too much');
  }

  async close(): Promise<void> {
    // One that was never read is not cancelled by its generator.
    this.#stream.cancel();
    await this.#answers.return();
  }
}

/** Knows which stream brings which answer. */
class AnswersInOrder {
  readonly #streams: Set<PodStream>;
  readonly #byIndex = new Map<number, PodStream>();

  constructor(streams: readonly PodStream[]) {
    this.#streams = new Set(streams);
    this.#note(streams);
  }

  get streams(): Iterable<PodStream> {
    return this.#streams;
  }

  streamOf(index: number): PodStream {
    return this.#byIndex.get(index)!;
  }

  replace(failed: PodStream, streams: readonly PodStream[]): void {
    this.#streams.delete(failed);
    for (const stream of streams) this.#streams.add(stream);
    this.#note(streams);
  }

  #note(streams: readonly PodStream[]): void {
    for (const stream of streams) for (const { index } of stream.owed) this.#byIndex.set(index, stream);
  }
}
