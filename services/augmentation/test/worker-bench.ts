import {
  AugmentationServiceClient,
  BorderRule,
  ChunkServiceClient,
  VoxelType,
  type SampleReference,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import { createClient } from '@lunastream/service-kit';
import { startInProcessServer } from '@lunastream/service-kit/testing';
import { MadeCounts, SharedBuffers } from '@lunastream/transform-pool';
import { onTestFinished } from 'vitest';
import { CachePods } from '../src/cache-pods.ts';
import { ChunkFetcher } from '../src/chunk-fetcher.ts';
import { createHandlers } from '../src/handlers.ts';
import { RawChunkMemory } from '../src/raw-chunk-memory.ts';
import { fakeChunkCache, FINGERPRINT, type StreamChunks } from './fake-chunk-cache.ts';
import { InlineMaker } from './inline-maker.ts';

export const SHAPE = { depth: 4, height: 6, width: 8 };
export const RUN_SEED = 0xfeedbeef;
export const EPOCH = 3;

/** A worker that asks the cache at `cacheAddress`. */
export async function startWorker(cacheAddress: string, keptBytes = 0) {
  const pods = new CachePods({
    connect: ({ address }) => createClient(ChunkServiceClient, address),
    onFailover: () => undefined,
    nowMs: () => 0,
  });
  pods.setServers([{ address: cacheAddress, serverName: undefined }]);
  const maker = new InlineMaker();
  const memory = new RawChunkMemory({
    limitBytes: keptBytes,
    buffers: new SharedBuffers({ limitBytes: 2 ** 20 }),
  });
  const counts = new MadeCounts();
  const parts = { chunks: new ChunkFetcher(pods, memory), maker, counts };
  const server = await startInProcessServer((context) => createHandlers(parts, context));
  onTestFinished(async () => {
    await server.stop();
    pods.close();
  });
  const client = server.connect(AugmentationServiceClient);
  const openLease = (request: Partial<StreamSamplesRequest>) =>
    client.streamSamples({
      leaseId: 'test',
      dataset: 'luna',
      datasetFingerprint: FINGERPRINT,
      runSeed: RUN_SEED,
      epoch: EPOCH,
      chunkShape: SHAPE,
      augmentation: undefined,
      samples: [],
      margin: false,
      voxelType: VoxelType.FLOAT32,
      border: BorderRule.UNSPECIFIED,
      ...request,
    });
  return { ...server, openLease, maker, memory, counts };
}

/** A worker and its cache, both over real sockets. */
export async function serve(streamChunks?: StreamChunks, keptBytes?: number) {
  const cache = await startInProcessServer(fakeChunkCache(streamChunks));
  onTestFinished(() => cache.stop());
  return startWorker(cache.address, keptBytes);
}

export function sample(ordinal: number, seriesUid = 'a'): SampleReference {
  return { ordinal, seriesUid, centerXyzMm: { x: ordinal % 7, y: 0, z: 0 }, partner: undefined };
}

/** Voxels of an answer, or the code and message of its error. */
export function outcome({ result }: StreamSamplesResponse) {
  if (result?.$case === 'error') return [result.value.code, result.value.message];
  const bytes = Uint8Array.from(result?.value.voxelsHu ?? []);
  return new Float32Array(bytes.buffer);
}
