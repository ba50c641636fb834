import { crc32 } from 'node:zlib';
import { status } from '@grpc/grpc-js';
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
  VoxelType,
  type AugmentationServiceServer,
  type ChunkServiceClient,
  type SampleReference,
  type StreamChunksResponse,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import {
  isServiceError,
  mapInOrder,
  MAX_MESSAGE_BYTES,
  readStream,
  RequestError,
  streamHandler,
  type HandlerContext,
  type RequestErrorKind,
  type ServedService,
} from '@lunastream/service-kit';
import type { SampleMaker, TransformSource } from '@lunastream/transform-pool';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';

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
  /** Where chunks come from. */
  readonly chunkCache: ChunkServiceClient;
  readonly maker: SampleMaker;
}

/** The gRPC service of an augmentation worker. */
export function createHandlers(parts: WorkerParts, context: HandlerContext): ServedService[] {
  const implementation: AugmentationServiceServer = {
    streamSamples: streamHandler(context, (request, signal) => streamSamples(parts, request, signal)),
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
  const sources = readSources(parts.chunkCache, lease, signal);
  try {
    yield* mapInOrder(sources, parts.maker.capacity, (chunks) => answerSample(parts.maker, chunks, lease));
  } catch (error) {
    throw toRequestError(error);
  }
}

/** The chunks that one sample is made from: its own, then its partner's. */
interface SampleChunks {
  readonly reference: SampleReference;
  readonly chunks: readonly StreamChunksResponse[];
}

/** Reads the chunks of a lease in one stream. */
async function* readSources(
  chunkCache: ChunkServiceClient,
  { request, sampleShape, sourceShape, augmentation }: Lease,
  signal: AbortSignal,
): AsyncGenerator<SampleChunks> {
  const isMixed = augmentation.mixupAlpha > 0;
  const placesOf = (sample: SampleReference) =>
    isMixed && sample.partner !== undefined ? [sample, sample.partner] : [sample];
  const chunks = readStream(
    chunkCache.streamChunks({
      dataset: request.dataset,
      datasetFingerprint: request.datasetFingerprint,
      shape: sampleShape,
      grownShape: sourceShape,
      border: request.border,
      references: request.samples.flatMap(placesOf),
    }),
    signal,
  );
  let sampleIndex = 0;
  let arrived: StreamChunksResponse[] = [];
  for await (const chunk of chunks) {
    arrived.push(chunk);
    const reference = request.samples[sampleIndex]!;
    if (arrived.length < placesOf(reference).length) continue;
    yield { reference, chunks: arrived };
    sampleIndex++;
    arrived = [];
  }
}

async function answerSample(
  maker: SampleMaker,
  { reference, chunks }: SampleChunks,
  { request, sampleShape, sourceShape, augmentation, voxelType }: Lease,
): Promise<StreamSamplesResponse> {
  const { ordinal, partner } = reference;
  for (const { result } of chunks) {
    if (result === undefined) throw new Error('internal: the chunk cache sent an answer without a result');
    if (result.$case === 'error') {
      const value = { code: SAMPLE_CODE_OF_CHUNK_CODE[result.value.code], message: result.value.message };
      return { ordinal, result: { $case: 'error', value } };
    }
  }
  const { runSeed, epoch } = request;
  const sourceOf = (chunk: StreamChunksResponse, ofOrdinal: number): TransformSource => ({
    voxels: takeVoxels(maker, chunk, sourceShape),
    key: { runSeed, epoch, ordinal: ofOrdinal },
  });
  const [own, ofPartner] = chunks as [StreamChunksResponse, StreamChunksResponse?];
  const { voxels, borderFraction } = await maker.make({
    sampleShape,
    sourceShape,
    augmentation,
    voxelType,
    source: sourceOf(own, ordinal),
    partner: ofPartner && sourceOf(ofPartner, partner!.ordinal),
  });
  const voxelsHu = Buffer.from(voxels);
  const value = {
    shape: sampleShape,
    voxelsHu,
    borderFraction,
    voxelType: request.voxelType,
    voxelsCrc32: crc32(voxelsHu),
  };
  return { ordinal, result: { $case: 'sample', value } };
}

/** Copies wire bytes into an aligned buffer: a received Buffer may sit at any offset of a shared pool. */
function takeVoxels(maker: SampleMaker, { result }: StreamChunksResponse, shape: Shape): ArrayBuffer {
  if (result?.$case !== 'chunk') throw new Error('internal: voxels taken of a chunk that is none');
  const { voxelsHu } = result.value;
  const sizeBytes = voxelCount(shape) * Int16Array.BYTES_PER_ELEMENT;
  if (voxelsHu.byteLength !== sizeBytes) {
    throw new Error(`internal: a chunk of ${sizeBytes} bytes expected, got ${voxelsHu.byteLength}`);
  }
  const voxels = maker.takeBuffer(sizeBytes);
  new Uint8Array(voxels).set(voxelsHu);
  return voxels;
}

/** The cache's answer to a bad request is passed on; a cache that cannot be reached makes this worker unavailable. */
function toRequestError(error: unknown): unknown {
  if (!isServiceError(error)) return error;
  const kind = REFUSALS.get(error.code);
  return kind === undefined
    ? new RequestError('unavailable', `the chunk cache does not answer: ${error.details}`, { cause: error })
    : new RequestError(kind, error.details, { cause: error });
}

/** Answers of the chunk cache to a request that would be refused again. */
const REFUSALS: ReadonlyMap<status, RequestErrorKind> = new Map([
  [status.FAILED_PRECONDITION, 'failed-precondition'],
  [status.NOT_FOUND, 'not-found'],
  [status.INVALID_ARGUMENT, 'invalid-argument'],
]);
