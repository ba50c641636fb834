import { status } from '@grpc/grpc-js';
import {
  applyTransform,
  AugmentationSettingsError,
  compileAugmentationSettings,
  NO_AUGMENTATION,
  sampleTransform,
  type AugmentationSettings,
} from '@lunastream/augmentation';
import {
  AugmentationServiceService,
  ChunkErrorCode,
  SampleErrorCode,
  type AugmentationServiceServer,
  type ChunkServiceClient,
  type StreamChunksResponse,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import {
  isServiceError,
  MAX_MESSAGE_BYTES,
  readStream,
  RequestError,
  streamHandler,
  type HandlerContext,
  type RequestErrorKind,
  type ServedService,
} from '@lunastream/service-kit';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';

// Wire types stop in this file.

const MAX_SAMPLES = 1024;
/** A sample travels in one message, beside less than a hundred bytes of its own. */
const MAX_SAMPLE_BYTES = MAX_MESSAGE_BYTES - 1024;

const SAMPLE_CODE_OF_CHUNK_CODE: Record<ChunkErrorCode, SampleErrorCode> = {
  [ChunkErrorCode.UNSPECIFIED]: SampleErrorCode.UNSPECIFIED,
  [ChunkErrorCode.NOT_FOUND]: SampleErrorCode.NOT_FOUND,
  [ChunkErrorCode.OUT_OF_RANGE]: SampleErrorCode.OUT_OF_RANGE,
  [ChunkErrorCode.DATA_LOSS]: SampleErrorCode.DATA_LOSS,
};

/** The gRPC service of an augmentation worker; chunks come from `chunkCache`. */
export function createHandlers(chunkCache: ChunkServiceClient, context: HandlerContext): ServedService[] {
  const implementation: AugmentationServiceServer = {
    streamSamples: streamHandler(context, (request, signal) => streamSamples(chunkCache, request, signal)),
  };
  return [{ definition: AugmentationServiceService, implementation }];
}

interface Lease {
  readonly shape: Shape;
  readonly augmentation: AugmentationSettings;
}

function checkLease({ samples, chunkShape, augmentation }: StreamSamplesRequest): Lease {
  if (samples.length < 1 || samples.length > MAX_SAMPLES) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream samples: a lease must have 1..${MAX_SAMPLES} samples, got ${samples.length}`,
    );
  }
  if (chunkShape === undefined) {
    throw new RequestError('invalid-argument', 'Cannot stream samples: chunk_shape must be set, got none');
  }
  const sampleBytes = voxelCount(chunkShape) * Float32Array.BYTES_PER_ELEMENT;
  if (sampleBytes > MAX_SAMPLE_BYTES) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream samples: a sample must have at most ${MAX_SAMPLE_BYTES} bytes, got ${sampleBytes} of shape ${formatShape(chunkShape)}`,
    );
  }
  try {
    return { shape: chunkShape, augmentation: compileAugmentationSettings(augmentation ?? NO_AUGMENTATION) };
  } catch (error) {
    if (!(error instanceof AugmentationSettingsError)) throw error;
    throw new RequestError('invalid-argument', error.message, { cause: error });
  }
}

async function* streamSamples(
  chunkCache: ChunkServiceClient,
  request: StreamSamplesRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamSamplesResponse> {
  const lease = checkLease(request);
  const chunks = chunkCache.streamChunks({
    dataset: request.dataset,
    datasetFingerprint: request.datasetFingerprint,
    shape: request.chunkShape,
    references: request.samples,
  });
  try {
    for await (const chunk of readStream(chunks, signal)) yield toSample(chunk, request, lease);
  } catch (error) {
    throw toRequestError(error);
  }
}

function toSample(
  { referenceIndex, result }: StreamChunksResponse,
  request: StreamSamplesRequest,
  { shape, augmentation }: Lease,
): StreamSamplesResponse {
  const ordinal = request.samples[referenceIndex]!.ordinal;
  if (result === undefined) throw new Error('internal: the chunk cache sent an answer without a result');
  if (result.$case === 'error') {
    const value = { code: SAMPLE_CODE_OF_CHUNK_CODE[result.value.code], message: result.value.message };
    return { ordinal, result: { $case: 'error', value } };
  }
  const key = { runSeed: request.runSeed, epoch: request.epoch, ordinal };
  const sample = applyTransform(
    toInt16(result.value.voxelsHu, shape),
    shape,
    sampleTransform(augmentation, key),
  );
  const voxelsHu = Buffer.from(sample.buffer, sample.byteOffset, sample.byteLength);
  return { ordinal, result: { $case: 'sample', value: { shape, voxelsHu } } };
}

/** Copies wire bytes into an aligned array: a received Buffer may sit at any offset of a shared pool. */
function toInt16(bytes: Uint8Array, shape: Shape): Int16Array {
  const voxels = new Int16Array(voxelCount(shape));
  if (bytes.byteLength !== voxels.byteLength) {
    throw new Error(`internal: a chunk of ${voxels.byteLength} bytes expected, got ${bytes.byteLength}`);
  }
  new Uint8Array(voxels.buffer).set(bytes);
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
