import {
  AugmentationSettingsError,
  compileAugmentationSettings,
  marginFor,
  NO_AUGMENTATION,
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
  writingHandler,
  type HandlerContext,
  type ResponseWriter,
  type ServedService,
} from '@lunastream/service-kit';
import type {
  AtOnceMaker,
  MadeCounts,
  MadeSample,
  SampleKind,
  SampleMaker,
  TransformJob,
} from '@lunastream/transform-pool';
import { formatShape, voxelCount } from '@lunastream/volume';
import { NoPodError } from './cache-pods.ts';
import { WINDOW_CHUNKS, type ChunkFetcher, type ChunkForm, type FetchedChunk } from './chunk-fetcher.ts';
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
  readonly maker: AtOnceMaker;
  readonly counts: MadeCounts;
}

/** The gRPC service of an augmentation worker. */
export function createHandlers(parts: WorkerParts, context: HandlerContext): ServedService[] {
  const implementation: AugmentationServiceServer = {
    streamSamples: writingHandler(
      context,
      (request, writer) => sendSamples(parts, request, writer),
      (sent) => reuseSample(parts.maker, sent),
    ),
  };
  return [{ definition: AugmentationServiceService, implementation }];
}

interface Lease {
  readonly request: StreamSamplesRequest;
  readonly kind: SampleKind;
  /** Of the chunks that samples are made from. */
  readonly form: ChunkForm;
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
    const { dataset, datasetFingerprint, border } = request;
    return {
      request,
      kind: { sampleShape: chunkShape, sourceShape, augmentation, voxelType },
      form: { dataset, datasetFingerprint, shape: chunkShape, grownShape: sourceShape, border },
    };
  } catch (error) {
    if (!(error instanceof AugmentationSettingsError)) throw error;
    throw new RequestError('invalid-argument', error.message, { cause: error });
  }
}

/** Sends the samples in request order. */
async function sendSamples(
  parts: WorkerParts,
  request: StreamSamplesRequest,
  writer: ResponseWriter<StreamSamplesResponse>,
): Promise<void> {
  const lease = checkLease(request);
  const sentCount = parts.maker.makesAtOnce(lease.kind) ? await sendAtOnce(parts, lease, writer) : 0;
  const rest = request.samples.slice(sentCount);
  try {
    for await (const response of streamSamples(parts, { ...lease, rest }, writer.signal)) {
      const room = writer.write(response);
      if (room !== undefined) await room;
    }
  } catch (error) {
    throw toRequestError(error);
  }
}

/**
 * Sends samples to which nothing is done, of chunks that the worker keeps: as many in one turn of the event loop as there
 * is room for, since waiting takes longer than making them. Ends before the first few of which one is not kept, and
 * returns how many were sent.
 */
async function sendAtOnce(
  parts: WorkerParts,
  lease: Lease,
  writer: ResponseWriter<StreamSamplesResponse>,
): Promise<number> {
  const { samples } = lease.request;
  for (let start = 0; start < samples.length; start += WINDOW_CHUNKS) {
    const references = samples.slice(start, start + WINDOW_CHUNKS);
    const lent = parts.chunks.lendKept(lease.form, references);
    if (lent === undefined) return start;
    try {
      for (const reference of references) {
        const room = writer.write(makeAtOnce(parts, reference, lent[0]!, lease));
        parts.chunks.release(lent.shift()!);
        if (room !== undefined) await room;
      }
    } finally {
      for (const chunk of lent) parts.chunks.release(chunk);
    }
  }
  return samples.length;
}

function makeAtOnce(
  { maker, counts }: WorkerParts,
  reference: SampleReference,
  chunk: RawChunk,
  lease: Lease,
): StreamSamplesResponse {
  let made: MadeSample;
  try {
    made = maker.makeAtOnce(toJob(reference, [chunk], lease));
  } catch (error) {
    counts.noteFailure();
    throw error;
  }
  return toResponse(counts, reference, made, lease);
}

/** A lease of which some samples have been sent. */
interface LeaseRest extends Lease {
  readonly rest: readonly SampleReference[];
}

/** Samples in request order. Several are made at a time; no more are begun than keep the maker busy. */
function streamSamples(parts: WorkerParts, lease: LeaseRest, signal: AbortSignal) {
  const sources = readSources(parts.chunks, lease, signal);
  return mapInOrder(sources, parts.maker.capacity, (chunks) => answerSample(parts, chunks, lease));
}

/** The chunks that one sample is made from: its own, then its partner's. */
interface SampleChunks {
  readonly reference: SampleReference;
  readonly fetched: readonly FetchedChunk[];
}

/** Fetches the chunks of a lease. */
async function* readSources(
  chunks: ChunkFetcher,
  { kind, form, rest: samples }: LeaseRest,
  signal: AbortSignal,
): AsyncGenerator<SampleChunks> {
  const isMixed = kind.augmentation.mixupAlpha > 0;
  const placesOf = (sample: SampleReference) =>
    isMixed && sample.partner !== undefined ? [sample, sample.partner] : [sample];
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
    if (fault === undefined) return await makeSample(parts, sample.reference, lent, lease);
    parts.counts.noteFailure();
    const value = { code: SAMPLE_CODE_OF_CHUNK_CODE[fault.code], message: fault.message };
    return { ordinal: sample.reference.ordinal, result: { $case: 'error', value } };
  } finally {
    for (const chunk of lent) parts.chunks.release(chunk);
  }
}

async function makeSample(
  { maker, counts }: WorkerParts,
  reference: SampleReference,
  lent: readonly RawChunk[],
  lease: Lease,
): Promise<StreamSamplesResponse> {
  const made = await counts.follow(
    lent.map(({ voxels }) => voxels),
    () => maker.make(toJob(reference, lent, lease)),
  );
  return toResponse(counts, reference, made, lease);
}

/** `lent`: the chunk of the sample, then that of its partner where it has one. */
function toJob(
  { ordinal, partner }: SampleReference,
  lent: readonly RawChunk[],
  { request: { runSeed, epoch }, kind }: Lease,
): TransformJob {
  const [own, ofPartner] = lent as [RawChunk, RawChunk?];
  return {
    ...kind,
    source: { voxels: own.voxels, key: { runSeed, epoch, ordinal } },
    partner: ofPartner && { voxels: ofPartner.voxels, key: { runSeed, epoch, ordinal: partner!.ordinal } },
  };
}

function toResponse(
  counts: MadeCounts,
  { ordinal }: SampleReference,
  made: MadeSample,
  { request: { voxelType }, kind: { sampleShape: shape } }: Lease,
): StreamSamplesResponse {
  counts.noteSample(made, voxelCount(shape));
  const value = {
    shape,
    voxelsHu: voxelsAfterHeadroom(made.buffer),
    borderFraction: made.borderFraction,
    voxelType,
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
