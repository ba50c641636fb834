import {
  BorderRule as WireBorderRule,
  ChunkErrorCode,
  ChunkServiceService,
  DatasetServiceService,
  type ChunkReference,
  type ChunkServiceServer,
  type DatasetServiceServer,
  type GetDatasetResponse,
  type ListCandidatesResponse,
  type StreamChunksRequest,
  type StreamChunksResponse,
} from '@lunastream/contracts';
import {
  ChunkFaultError,
  DatasetFaultError,
  type ChunkFault,
  type ChunkSource,
  type DatasetFault,
} from '@lunastream/chunk-source';
import { describeProblems, type Dataset } from '@lunastream/dataset';
import {
  MAX_MESSAGE_BYTES,
  mapInOrder,
  RequestError,
  streamHandler,
  unaryHandler,
  type HandlerContext,
  type RequestErrorKind,
  type ServedService,
} from '@lunastream/service-kit';
import {
  formatShape,
  voxelCount,
  xyzMm,
  type BorderRule,
  type ChunkExtent,
  type Shape,
  type XyzMm,
} from '@lunastream/volume';
import { CallAhead, ChunksAhead } from './chunks-ahead.ts';
import { ServedCounts } from './served-counts.ts';

// Wire types stop in this file.

const CANDIDATES_PER_PAGE = 1000;
const MAX_PROBLEMS = 20;
const MAX_REFERENCES = 4096;
const MAX_AXIS_VOXELS = 512;
/** A chunk travels in one message, beside less than a hundred bytes of its own. */
const MAX_CHUNK_BYTES = MAX_MESSAGE_BYTES - 1024;
/** Chunks of a call that are cut at the same time; their bytes and those of what waits to be sent have a limit of their own. */
const CUTS_AT_ONCE = 8;

const CODE_OF_FAULT: Record<ChunkFault, ChunkErrorCode> = {
  'not-found': ChunkErrorCode.NOT_FOUND,
  'out-of-range': ChunkErrorCode.OUT_OF_RANGE,
  'data-loss': ChunkErrorCode.DATA_LOSS,
};

const BORDERS: Partial<Record<WireBorderRule, BorderRule>> = {
  [WireBorderRule.UNSPECIFIED]: 'shift',
  [WireBorderRule.SHIFT]: 'shift',
  [WireBorderRule.PAD_AIR]: 'pad-air',
};

const KIND_OF_DATASET_FAULT: Record<DatasetFault, RequestErrorKind> = {
  unknown: 'not-found',
  unreadable: 'failed-precondition',
  changed: 'failed-precondition',
};

export interface HandlerOptions {
  /** Most bytes of chunks that are cut ahead of all clients together, beside one chunk of each call. */
  readonly aheadLimitBytes: number;
  readonly served?: ServedCounts;
}

/** The gRPC services of the chunk cache. */
export function createHandlers(
  source: ChunkSource,
  context: HandlerContext,
  { aheadLimitBytes, served = new ServedCounts() }: HandlerOptions,
): ServedService[] {
  const all = new ChunksAhead(aheadLimitBytes);
  const callOf = new WeakMap<StreamChunksResponse, CallAhead>();
  const datasets: DatasetServiceServer = {
    getDataset: unaryHandler(context, async ({ dataset }) =>
      summarize(dataset, await datasetOf(source, dataset)),
    ),
    listCandidates: streamHandler(context, async function* ({ dataset }) {
      yield* candidatePages(await datasetOf(source, dataset));
    }),
  };
  const chunks: ChunkServiceServer = {
    streamChunks: streamHandler(
      context,
      async function* (request, signal) {
        const extent = checkedExtent(request);
        const ahead = new CallAhead(all, voxelCount(extent.grownShape) * Int16Array.BYTES_PER_ELEMENT);
        const end = () => ahead.end();
        signal.addEventListener('abort', end, { once: true });
        try {
          for await (const response of streamChunks(source, request, { extent, ahead })) {
            if (response.result?.$case === 'error') served.failedChunkCount++;
            else served.servedBytes += response.result?.value.voxelsHu.byteLength ?? 0;
            callOf.set(response, ahead);
            yield response;
          }
          await ahead.sent();
        } finally {
          end();
        }
      },
      (response) => callOf.get(response)?.noteSent(),
    ),
    getChunkStats: unaryHandler(context, () => {
      const { tiers, ...counts } = source.stats();
      return Promise.resolve({ ...counts, tiers: [...tiers], failedChunkCount: served.failedChunkCount });
    }),
  };
  return [
    { definition: DatasetServiceService, implementation: datasets },
    { definition: ChunkServiceService, implementation: chunks },
  ];
}

async function datasetOf(source: ChunkSource, name: string, fingerprint?: string): Promise<Dataset> {
  try {
    return await source.getDataset(name, fingerprint);
  } catch (error) {
    if (!(error instanceof DatasetFaultError)) throw error;
    throw new RequestError(KIND_OF_DATASET_FAULT[error.fault], error.message, { cause: error });
  }
}

function summarize(name: string, dataset: Dataset): GetDatasetResponse {
  const { fingerprint, series, counts } = dataset;
  return {
    dataset: name,
    fingerprint,
    seriesCount: series.size,
    positiveCount: counts.positives,
    negativeCount: counts.negatives,
    missingScanCount: counts.missingScan,
    outsideScanCount: counts.outsideScan,
    badScanCount: counts.badHeader,
    problems: describeProblems(dataset).slice(0, MAX_PROBLEMS),
  };
}

function* candidatePages({ candidates }: Dataset): Generator<ListCandidatesResponse> {
  for (let start = 0; start < candidates.length; start += CANDIDATES_PER_PAGE) {
    yield {
      candidates: candidates.slice(start, start + CANDIDATES_PER_PAGE).map((candidate) => {
        const [x, y, z] = candidate.centerXyzMm;
        return { ...candidate, centerXyzMm: { x, y, z } };
      }),
    };
  }
}

function checkedShape(field: string, shape: Shape | undefined): Shape {
  const axes = shape === undefined ? [] : [shape.depth, shape.height, shape.width];
  if (shape === undefined || axes.some((size) => size < 1 || size > MAX_AXIS_VOXELS)) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream chunks: each axis of ${field} must be in 1..${MAX_AXIS_VOXELS}, got ${axes.join('x') || 'none'}`,
    );
  }
  const chunkBytes = voxelCount(shape) * Int16Array.BYTES_PER_ELEMENT;
  if (chunkBytes > MAX_CHUNK_BYTES) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream chunks: a chunk must have at most ${MAX_CHUNK_BYTES} bytes, got ${chunkBytes} of ${field} ${formatShape(shape)}`,
    );
  }
  return shape;
}

function checkedBorder(wire: WireBorderRule): BorderRule {
  const border = BORDERS[wire];
  if (border !== undefined) return border;
  throw new RequestError(
    'invalid-argument',
    `Cannot stream chunks: border must be a rule that this version knows, got ${wire}`,
  );
}

function checkedExtent(request: StreamChunksRequest): ChunkExtent {
  const { shape: asked, grownShape: grown, references } = request;
  const shape = checkedShape('shape', asked);
  const grownShape = checkedShape('grown_shape', grown ?? shape);
  const margins = (['depth', 'height', 'width'] as const).map((axis) => grownShape[axis] - shape[axis]);
  if (margins.some((margin) => margin < 0 || margin % 2 !== 0)) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream chunks: grown_shape must be ${formatShape(shape)} or larger by even numbers of voxels, got ${formatShape(grownShape)}`,
    );
  }
  if (references.length < 1 || references.length > MAX_REFERENCES) {
    throw new RequestError(
      'invalid-argument',
      `Cannot stream chunks: references must be 1..${MAX_REFERENCES}, got ${references.length}`,
    );
  }
  return { shape, grownShape, border: checkedBorder(request.border) };
}

function centerOf({ seriesUid, centerXyzMm }: ChunkReference): XyzMm {
  const { x, y, z } = centerXyzMm ?? { x: NaN, y: NaN, z: NaN };
  if (![x, y, z].every(Number.isFinite)) {
    throw new ChunkFaultError(
      'out-of-range',
      `Cannot cut a chunk of scan ${seriesUid}: center_xyz_mm must be three finite numbers, got ` +
        (centerXyzMm === undefined ? 'none' : `${x},${y},${z}`),
    );
  }
  return xyzMm(x, y, z);
}

async function* streamChunks(
  source: ChunkSource,
  request: StreamChunksRequest,
  { extent, ahead }: { readonly extent: ChunkExtent; readonly ahead: CallAhead },
): AsyncGenerator<StreamChunksResponse> {
  const dataset = await datasetOf(source, request.dataset, request.datasetFingerprint);
  const answer = async ([referenceIndex, reference]: [
    number,
    ChunkReference,
  ]): Promise<StreamChunksResponse> => {
    try {
      const voxels = await source.getChunk(dataset, reference.seriesUid, centerOf(reference), extent);
      const voxelsHu = Buffer.from(voxels.buffer, voxels.byteOffset, voxels.byteLength);
      return { referenceIndex, result: { $case: 'chunk', value: { shape: extent.grownShape, voxelsHu } } };
    } catch (error) {
      if (!(error instanceof ChunkFaultError)) throw error;
      const value = { code: CODE_OF_FAULT[error.fault], message: error.message };
      return { referenceIndex, result: { $case: 'error', value } };
    }
  };
  yield* mapInOrder(ahead.paced(request.references.entries()), CUTS_AT_ONCE, answer);
}
