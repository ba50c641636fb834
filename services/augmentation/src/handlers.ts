import {
  AugmentationSettingsError,
  compileAugmentationSettings,
  marginFor,
  NO_AUGMENTATION,
  type AugmentationSettings,
  type SampleVoxelType,
} from '@lunastream/augmentation';
import {
  AugmentationServiceService,
  ChunkErrorCode,
  sampleBytes,
  SampleErrorCode,
  voxelsAfterHeadroom,
  VoxelType,
  type AugmentationServiceServer,
  type SampleReference,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import {
  isServiceError,
  mapInOrder,
  MAX_MESSAGE_BYTES,
  RequestError,
  streamHandler,
  type HandlerContext,
  type ServedService,
} from '@lunastream/service-kit';
import type { MadeCounts, SampleMaker, TransformJob } from '@lunastream/transform-pool';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';
import { NoPodError } from './cache-pods.ts';
import type { ChunkFetcher, FetchedChunk } from './chunk-fetcher.ts';
import type { RawChunk } from './raw-chunk-memory.ts';
import { REFUSALS } from './refusals.ts';

// Wire types stop in this file.

const MAX_SAMPLES = 1024;
/** A sample travels in one message, beside less than a hundred bytes of its own. */
const MAX_SAMPLE_BYTES = MAX_MESSAGE_BYTES - 1024;

/** A type that this version does not know is not in it. */
const VOXEL_TYPES: ReadonlyMap<VoxelType, SampleVoxelType> = new Map([
  [VoxelType.UNSPECIFIED, 'float32'],
  [VoxelType.FLOAT32, 'float32'],
  [VoxelType.FLOAT16, 'float16'],
]);

const SAMPLE_CODE_OF_CHUNK_CODE: Record<ChunkErrorCode, SampleErrorCode> = {
  [ChunkErrorCode.UNSPECIFIED]: SampleErrorCode.UNSPECIFIED,
  [ChunkErrorCode.NOT_FOUND]: SampleErrorCode.NOT_FOUND,
  [ChunkErrorCode.OUT_OF_RANGE]: SampleErrorCode.OUT_OF_RANGE,
  [ChunkErrorCode.DATA_LOSS]: SampleErrorCode.DATA_LOSS,
};

/** What a worker is made of. */
export interface WorkerParts {
  readonly chunks: ChunkFetcher;
  /** Leaves VOXELS_HEADROOM_BYTES in front of the voxels of its samples, and tells their CRC-32. */
  readonly maker: SampleMaker;
  readonly counts: MadeCounts;
}

/** The gRPC service of an augmentation worker. */
export function createHandlers(parts: WorkerParts, context: HandlerContext): ServedService[] {
  const implementation: AugmentationServiceServer = {
    streamSamples: streamHandler(
      context,
      (request, signal) => streamSamples(parts, request, signal),
      (sent) => reuseSample(parts.maker, sent),
    ),
  };
  return [{ definition: AugmentationServiceService, implementation }];
}

interface Lease {
  readonly request: StreamSamplesRequest;
  readonly sampleShape: Shape;
  /** Shape of the chunks that samples are made from. */
  readonly sourceShape: Shape;
  readonly augmentation: AugmentationSettings;
  readonly voxelType: SampleVoxelType;
}

function checkLease(request: StreamSamplesRequest): Lease {
  const { samples, chunkShape, augmentation: asked, margin } = request;
  const voxelType = VOXEL_TYPES.get(request.voxelType);
  if (samples.length < 1 || samples.length > MAX_SAMPLES) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream samples: a lease must have 1..${MAX_SAMPLES} samples, got ${samples.length}`,
    );
  }
  if (chunkShape === undefined) {
    throw new RequestError('invalid-argument', 'Cannot stream samples: chunk_shape must be set, got none');
  }
  if (voxelType === undefined) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream samples: voxel_type must be float32 or float16, got ${request.voxelType}`,
    );
  }
  const sizeBytes = sampleBytes(voxelCount(chunkShape), request.voxelType);
  if (sizeBytes > MAX_SAMPLE_BYTES) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream samples: a sample must have at most ${MAX_SAMPLE_BYTES} bytes, got ${sizeBytes} of shape ${formatShape(chunkShape)}`,
    );
  }
  try {
    const augmentation = compileAugmentationSettings(asked ?? NO_AUGMENTATION);
    const sourceShape = margin ? marginFor(augmentation, chunkShape) : chunkShape;
    return { request, sampleShape: chunkShape, sourceShape, augmentation, voxelType };
  } catch (error) {
    if (!(error instanceof AugmentationSettingsError)) throw error;
    throw new RequestError('invalid-argument', error.message, { cause: error });
  }
}

/** Samples in request order. Several are made at a time; no more are begun than keep the maker busy. */
async function* streamSamples(
  parts: WorkerParts,
  request: StreamSamplesRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamSamplesResponse> {
  const lease = checkLease(request);
  const sources = readSources(parts.chunks, lease, signal);
  try {
    yield* mapInOrder(sources, parts.maker.capacity, (chunks) => answerSample(parts, chunks, lease));
  } catch (error) {
    throw toRequestError(error);
  }
}

/** The chunks that one sample is made from: its own, then its partner's. */
interface SampleChunks {
  readonly reference: SampleReference;
  readonly fetched: readonly FetchedChunk[];
}

/** Fetches the chunks of a lease. */
async function* readSources(
  chunks: ChunkFetcher,
  { request, sampleShape, sourceShape, augmentation }: Lease,
  signal: AbortSignal,
): AsyncGenerator<SampleChunks> {
  const isMixed = augmentation.mixupAlpha > 0;
  const placesOf = (sample: SampleReference) =>
    isMixed && sample.partner !== undefined ? [sample, sample.partner] : [sample];
  const { dataset, datasetFingerprint, border, samples } = request;
  const form = { dataset, datasetFingerprint, shape: sampleShape, grownShape: sourceShape, border };
  let sampleIndex = 0;
  let fetched: FetchedChunk[] = [];
  for await (const chunk of chunks.fetch(form, samples.flatMap(placesOf), signal)) {
    fetched.push(chunk);
    const reference = samples[sampleIndex]!;
    if (fetched.length < placesOf(reference).length) continue;
    yield { reference, fetched };
    sampleIndex++;
    fetched = [];
  }
}

/** The answer to one sample; its chunks are given back, whatever happens. */
async function answerSample(
  parts: WorkerParts,
  sample: SampleChunks,
  lease: Lease,
): Promise<StreamSamplesResponse> {
  const lent = sample.fetched.flatMap((fetched) => ('chunk' in fetched ? [fetched.chunk] : []));
  const [fault] = sample.fetched.flatMap((fetched) => ('fault' in fetched ? [fetched.fault] : []));
  try {
    if (fault === undefined) return await makeSample(parts, { ...sample.reference, lent }, lease);
    parts.counts.noteFailure();
    const value = { code: SAMPLE_CODE_OF_CHUNK_CODE[fault.code], message: fault.message };
    return { ordinal: sample.reference.ordinal, result: { $case: 'error', value } };
  } finally {
    for (const chunk of lent) parts.chunks.release(chunk);
  }
}

async function makeSample(
  { maker, counts }: WorkerParts,
  { ordinal, partner, lent }: SampleReference & { readonly lent: readonly RawChunk[] },
  { request, sampleShape, sourceShape, augmentation, voxelType }: Lease,
): Promise<StreamSamplesResponse> {
  const { runSeed, epoch } = request;
  const [own, ofPartner] = lent as [RawChunk, RawChunk?];
  const job: TransformJob = {
    sampleShape,
    sourceShape,
    augmentation,
    voxelType,
    source: { voxels: own.voxels, key: { runSeed, epoch, ordinal } },
    partner: ofPartner && { voxels: ofPartner.voxels, key: { runSeed, epoch, ordinal: partner!.ordinal } },
  };
  const made = await counts.follow(
    lent.map(({ voxels }) => voxels),
    () => maker.make(job),
  );
  counts.noteSample(made, voxelCount(sampleShape));
  const value = {
    shape: sampleShape,
    voxelsHu: voxelsAfterHeadroom(made.buffer),
    borderFraction: made.borderFraction,
    voxelType: request.voxelType,
    voxelsChecksum: made.checksum,
  };
  return { ordinal, result: { $case: 'sample', value } };
}

/** gRPC has copied a response: the memory of its sample is free. */
function reuseSample(maker: SampleMaker, { result }: StreamSamplesResponse): void {
  if (result?.$case === 'sample') maker.giveBack(result.value.voxelsHu.buffer as ArrayBuffer);
}

/** The cache's answer to a bad request is passed on; a cache that cannot be reached makes this worker unavailable. */
function toRequestError(error: unknown): unknown {
  if (error instanceof NoPodError) return new RequestError('unavailable', error.message, { cause: error });
  if (!isServiceError(error)) return error;
  const kind = REFUSALS.get(error.code);
  return kind === undefined
    ? new RequestError('unavailable', `the chunk cache does not answer: ${error.details}`, { cause: error })
    : new RequestError(kind, error.details, { cause: error });
}
