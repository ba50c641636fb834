/**
 * The services that stream voxels, as generated but for the encoding of their responses. These take the place of the
 * generated definitions and clients of the same names.
 */
import { makeGenericClientConstructor } from '@grpc/grpc-js';
import * as augment from './generated/lunastream/augment/v1/augmentation_service.ts';
import * as chunk from './generated/lunastream/chunk/v1/chunk_service.ts';
import { tensorCodec } from './tensor-codec.ts';
import { TensorReader, type TensorSink } from './tensor-reader.ts';

/** Field numbers of `result` in the responses and of `voxels_hu` in chunk and sample: the same in both files. */
const FIELDS = { tensorField: 2, voxelsField: 2 } as const;

export const ChunkServiceService = {
  ...chunk.ChunkServiceService,
  streamChunks: {
    ...chunk.ChunkServiceService.streamChunks,
    ...tensorCodec({
      response: chunk.StreamChunksResponse,
      tensor: chunk.Chunk,
      tensorCase: 'chunk',
      ...FIELDS,
    }),
  },
};

export type ChunkServiceClient = chunk.ChunkServiceClient;
export const ChunkServiceClient = makeGenericClientConstructor(
  ChunkServiceService,
  'lunastream.chunk.v1.ChunkService',
) as unknown as typeof chunk.ChunkServiceClient;

const SAMPLE_RESPONSE = {
  response: augment.StreamSamplesResponse,
  tensor: augment.Sample,
  tensorCase: 'sample' as const,
  ...FIELDS,
};

export const AugmentationServiceService = {
  ...augment.AugmentationServiceService,
  streamSamples: {
    ...augment.AugmentationServiceService.streamSamples,
    ...tensorCodec(SAMPLE_RESPONSE),
  },
};

/** Takes samples as they arrive. */
export type SampleSink = TensorSink<augment.StreamSamplesResponse>;

/** Reads the messages of `streamSamples` piece by piece, each voxel to its place. */
export type SampleReader = ReturnType<typeof createSampleReader>;

export function createSampleReader(sink: SampleSink) {
  return new TensorReader(SAMPLE_RESPONSE, sink);
}

export type AugmentationServiceClient = augment.AugmentationServiceClient;
export const AugmentationServiceClient = makeGenericClientConstructor(
  AugmentationServiceService,
  'lunastream.augment.v1.AugmentationService',
) as unknown as typeof augment.AugmentationServiceClient;
