import { marginFor } from '@lunastream/augmentation';
import { ChunkFaultError, DatasetFaultError, type ChunkSource } from '@lunastream/chunk-source';
import { copySampleVoxels } from '@lunastream/contracts';
import type { Dataset } from '@lunastream/dataset';
import {
  MadeCounts,
  type MadeSample,
  type SampleMaker,
  type SharedBuffers,
  type TransformJob,
  type TransformSource,
} from '@lunastream/transform-pool';
import { voxelCount, type Shape } from '@lunastream/volume';
import pLimit, { type LimitFunction } from 'p-limit';
import { SampleUnavailableError } from '../errors.ts';
import { LocalCounts } from './local-counts.ts';
import type { PlannedSample, SamplePlan, SampleSource, SampleStream } from './sample-source.ts';
import { WIRE_VOXEL_TYPES } from './sample-wire.ts';

/** Samples whose chunks are being read while the threads are busy with others. */
const CHUNKS_AHEAD = 8;

/** What samples are made of and by. */
export interface LocalSampleParts {
  readonly chunks: Pick<ChunkSource, 'getDataset' | 'getChunk'>;
  /** Leaves no headroom. */
  readonly maker: SampleMaker;
  readonly buffers: SharedBuffers;
}

/** What `LocalSampleParts` and the counts of its source are to a stream. */
interface LocalStreamParts extends LocalSampleParts {
  readonly counts: LocalCounts;
  readonly made: MadeCounts;
}

/**
 * Makes samples in this process: chunks from `libs/chunk-source`, transforms on threads of `libs/transform-pool`, as cache
 * and workers do it, without gRPC between them.
 */
export class LocalSampleSource implements SampleSource {
  readonly #parts: LocalSampleParts;
  /** First come, first served: streams opened before come first. */
  readonly #limit: LimitFunction;
  readonly #underWay = new Set<Promise<void>>();
  /** What happened so far, over all streams. */
  readonly counts = new LocalCounts();
  /** What the threads made, over all streams. */
  readonly made = new MadeCounts();

  constructor(parts: LocalSampleParts) {
    this.#parts = parts;
    this.#limit = pLimit(parts.maker.capacity + CHUNKS_AHEAD);
  }

  beginRun(): void {
    // Nothing is held against anyone.
  }

  open(plan: SamplePlan): SampleStream {
    const { counts, made } = this;
    return new LocalSampleStream({ ...this.#parts, counts, made }, plan, (write) => this.#begin(write));
  }

  /** Resolves when nothing is under way: samples of streams that were closed may be. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  waitingFor(): undefined {
    return undefined;
  }

  #begin(write: () => Promise<void>): Promise<void> {
    const writing = this.#limit(write);
    this.#underWay.add(writing);
    const remove = () => this.#underWay.delete(writing);
    writing.then(remove, remove);
    return writing;
  }
}

class LocalSampleStream implements SampleStream {
  readonly #parts: LocalStreamParts;
  readonly #plan: SamplePlan;
  readonly #begin: (write: () => Promise<void>) => Promise<void>;
  readonly #sourceShape: Shape;
  readonly #sampleVoxels: number;
  readonly #closed = new AbortController();
  readonly #gone: Promise<never>;
  #borderVoxels = 0;
  #writtenCount = 0;
  /** Bytes of places asked for whose samples are not there yet; none once the stream is closed. */
  #awaitedBytes = 0;

  constructor(
    parts: LocalStreamParts,
    plan: SamplePlan,
    begin: (write: () => Promise<void>) => Promise<void>,
  ) {
    this.#parts = parts;
    this.#plan = plan;
    this.#begin = begin;
    this.#sourceShape = plan.margin ? marginFor(plan.augmentation, plan.chunkShape) : plan.chunkShape;
    this.#sampleVoxels = voxelCount(plan.chunkShape);
    this.#gone = new Promise((_, reject) => {
      this.#closed.signal.addEventListener('abort', () => reject(this.#closed.signal.reason as Error));
    });
    // Whoever fills is told; while nobody does, it must not count as unhandled.
    this.#gone.catch(() => undefined);
  }

  async fill(firstOrdinal: number, target: Float32Array): Promise<void> {
    this.#closed.signal.throwIfAborted();
    this.#await(target.byteLength);
    const made: Promise<void>[] = [];
    for (let start = 0; start < target.length; start += this.#sampleVoxels) {
      const place = target.subarray(start, start + this.#sampleVoxels);
      const ordinal = firstOrdinal + made.length;
      made.push(this.#begin(() => this.#write(ordinal, place)));
    }
    await Promise.race([Promise.all(made), this.#gone]);
  }

  /** Whole voxels add up to the same in any order. */
  borderFraction(): number {
    return this.#writtenCount === 0 ? 0 : this.#borderVoxels / (this.#writtenCount * this.#sampleVoxels);
  }

  close(reason: Error): void {
    this.#closed.abort(reason);
    this.#await(-this.#awaitedBytes);
  }

  #await(moreBytes: number): void {
    this.#awaitedBytes += moreBytes;
    this.#parts.counts.awaitedBytes += moreBytes;
  }

  async #write(ordinal: number, place: Float32Array): Promise<void> {
    const { maker, buffers, counts } = this.#parts;
    const { chunkShape: sampleShape, augmentation, voxelType } = this.#plan;
    const { source, partner } = await this.#readSources(ordinal);
    this.#closed.signal.throwIfAborted();
    const job = { sampleShape, sourceShape: this.#sourceShape, augmentation, voxelType, source, partner };
    const chunks = partner === undefined ? [source.voxels] : [source.voxels, partner.voxels];
    const { buffer, borderFraction } = await this.#make(job, chunks);
    for (const voxels of chunks) buffers.giveBack(voxels);
    this.#closed.signal.throwIfAborted();
    copySampleVoxels({ voxelsHu: Buffer.from(buffer), voxelType: WIRE_VOXEL_TYPES[voxelType] }, place);
    maker.giveBack(buffer);
    this.#borderVoxels += Math.round(borderFraction * this.#sampleVoxels);
    this.#writtenCount++;
    counts.sampleCount++;
    this.#await(-place.byteLength);
  }

  async #make(job: TransformJob, chunks: readonly SharedArrayBuffer[]): Promise<MadeSample> {
    const { maker, made } = this.#parts;
    const sample = await made.follow(chunks, () => maker.make(job));
    made.noteSample(sample, this.#sampleVoxels);
    return sample;
  }

  async #readSources(ordinal: number) {
    this.#closed.signal.throwIfAborted();
    const { dataset: name, datasetFingerprint, samples, augmentation } = this.#plan;
    const sample = samples[ordinal]!;
    const partnerOrdinal = augmentation.mixupAlpha > 0 ? sample.partnerOrdinal : undefined;
    try {
      const dataset = await this.#parts.chunks.getDataset(name, datasetFingerprint);
      const source = await this.#readSource(dataset, sample, ordinal);
      if (partnerOrdinal === undefined) return { source, partner: undefined };
      return { source, partner: await this.#readSource(dataset, samples[partnerOrdinal]!, partnerOrdinal) };
    } catch (error) {
      if (!(error instanceof ChunkFaultError) && !(error instanceof DatasetFaultError)) throw error;
      this.#parts.made.noteFailure();
      if (error instanceof ChunkFaultError) this.#parts.counts.failedChunkCount++;
      throw new SampleUnavailableError(ordinal, error.message, { cause: error });
    }
  }

  async #readSource(
    dataset: Dataset,
    { seriesUid, centerXyzMm }: PlannedSample,
    ordinal: number,
  ): Promise<TransformSource & { readonly voxels: SharedArrayBuffer }> {
    const { runSeed, epoch, chunkShape: shape, border } = this.#plan;
    const extent = { shape, grownShape: this.#sourceShape, border };
    const { buffer, byteOffset, byteLength } = await this.#parts.chunks.getChunk(
      dataset,
      seriesUid,
      centerXyzMm,
      extent,
    );
    const voxels = this.#parts.buffers.copyOf(new Uint8Array(buffer, byteOffset, byteLength));
    return { voxels, key: { runSeed, epoch, ordinal } };
  }
}
