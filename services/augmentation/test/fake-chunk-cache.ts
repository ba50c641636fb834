import {
  ChunkErrorCode,
  ChunkServiceService,
  type ChunkReference,
  type StreamChunksRequest,
  type StreamChunksResponse,
} from '@lunastream/contracts';
import {
  RequestError,
  streamHandler,
  type HandlerContext,
  type ServedService,
} from '@lunastream/service-kit';
import { voxelCount, type Shape } from '@lunastream/volume';

/** Fingerprint of the only data set that the fake cache has. */
export const FINGERPRINT = 'f1';

/** Uids that the fake cache answers with an error, as a real one does for a bad reference. */
export const FAULTS: Readonly<Record<string, ChunkErrorCode>> = {
  unspecified: ChunkErrorCode.UNSPECIFIED,
  unknown: ChunkErrorCode.NOT_FOUND,
  outside: ChunkErrorCode.OUT_OF_RANGE,
  damaged: ChunkErrorCode.DATA_LOSS,
};

/** The chunk that the fake cache has around a reference: HU in [-1000, 1000] that depend on uid, centre and voxel. */
export function chunkOf({ seriesUid, centerXyzMm }: ChunkReference, shape: Shape): Int16Array {
  const seed = seriesUid.length * 31 + Math.round((centerXyzMm?.x ?? 0) * 17);
  return Int16Array.from(
    { length: voxelCount(shape) },
    (_, voxel) => ((voxel * 7919 + seed * 104_729) % 2001) - 1000,
  );
}

function answer(referenceIndex: number, reference: ChunkReference, shape: Shape): StreamChunksResponse {
  const code = FAULTS[reference.seriesUid];
  if (code !== undefined) {
    const message = `Cannot cut a chunk of ${reference.seriesUid}`;
    return { referenceIndex, result: { $case: 'error', value: { code, message } } };
  }
  const voxels = chunkOf(reference, shape);
  return {
    referenceIndex,
    result: { $case: 'chunk', value: { shape, voxelsHu: Buffer.from(voxels.buffer) } },
  };
}

/** What a chunk cache sends for a request. */
export type StreamChunks = (
  request: StreamChunksRequest,
  signal: AbortSignal,
) => AsyncIterable<StreamChunksResponse>;

/** Answers as the chunk cache does, from computed chunks instead of scans. */
export async function* streamFakeChunks({
  dataset,
  datasetFingerprint,
  shape: chunkShape,
  grownShape,
  references,
}: StreamChunksRequest): AsyncGenerator<StreamChunksResponse> {
  if (dataset !== 'luna') throw new RequestError('not-found', `no data set ${dataset}`);
  if (datasetFingerprint !== FINGERPRINT)
    throw new RequestError('failed-precondition', 'the data set changed');
  const shape = grownShape ?? chunkShape;
  if (shape === undefined || voxelCount(shape) === 0) throw new RequestError('invalid-argument', 'bad shape');
  for (const [index, reference] of references.entries()) {
    yield await Promise.resolve(answer(index, reference, shape));
  }
}

/** The service of a chunk cache that answers by `streamChunks`. */
export function fakeChunkCache(streamChunks: StreamChunks = streamFakeChunks) {
  return (context: HandlerContext): ServedService[] => [
    {
      definition: ChunkServiceService,
      implementation: { streamChunks: streamHandler(context, streamChunks) },
    },
  ];
}
