import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AugmentationServiceClient,
  BorderRule,
  VoxelType,
  type SampleReference,
} from '@lunastream/contracts';
import { createClient, readStream, type ServingMessage } from '@lunastream/service-kit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lunastream, onlyRun, startService } from '../src/lunastream.ts';
import { makeSmallDataset, SMALL_RUN } from '../src/small-dataset.ts';

/** What `lunastream replay --json` prints of a sample. */
interface Replayed {
  readonly candidate: Place;
  readonly partner?: { readonly ordinal: number; readonly candidate: Place };
  readonly sha256: string;
}

interface Place {
  readonly seriesUid: string;
  readonly centerXyzMm: readonly [number, number, number];
}

const CHUNK_SHAPE = { depth: 16, height: 16, width: 16 };
/** As --augmented --mixup 1 --augment-elastic 2 sets them. */
const AUGMENTATION = {
  flip: true,
  offset: 0.1,
  scale: 0.2,
  rotate: true,
  noiseHu: 25,
  elasticVoxels: 2,
  huShift: 0,
  huScale: 0,
  mixupAlpha: 1,
};

let folder: string;
let data: string;
let run: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-replay-'));
  data = await makeSmallDataset(join(folder, 'data'));
  const flags = ['--epochs', '1', '--mixup', '1', '--augment-elastic', '2', '--out', 'runs', '--quiet'];
  const { code, stderr } = await lunastream(folder, 'train', '--data', data, ...SMALL_RUN, ...flags);
  expect([code, stderr]).toEqual([0, '']);
  run = await onlyRun(join(folder, 'runs'));
});
afterAll(() => rm(folder, { recursive: true }));

async function replay(ordinal: number): Promise<Replayed> {
  const sample = ['--epoch', '1', '--ordinal', String(ordinal)];
  const { code, stdout } = await lunastream(
    folder,
    'replay',
    '--run',
    run,
    '--data',
    data,
    ...sample,
    '--json',
  );
  expect(code).toBe(0);
  return JSON.parse(stdout) as Replayed;
}

function placeOf({ seriesUid, centerXyzMm: [x, y, z] }: Place) {
  return { seriesUid, centerXyzMm: { x, y, z } };
}

it('lunastream replay makes the bytes that a worker sends for the same sample', async () => {
  const cache = startService('chunk-cache', folder, {
    CHUNK_CACHE_LISTEN: '127.0.0.1:0',
    CHUNK_CACHE_DATASETS: `default=${data}`,
  });
  const worker = startService('augmentation', folder, {
    AUGMENTATION_LISTEN: '127.0.0.1:0',
    AUGMENTATION_CHUNK_CACHE_ADDRESS: (await cache.message<ServingMessage>()).address,
  });
  const { address } = await worker.message<ServingMessage>();
  const client = createClient(AugmentationServiceClient, address);

  // A nodule with its partner, and a sample without one.
  const replayed = await Promise.all([replay(4), replay(5)]);
  expect(replayed.map(({ partner }) => partner !== undefined)).toEqual([true, false]);
  const samples = replayed.map(({ candidate, partner }, index): SampleReference => ({
    ordinal: 4 + index,
    ...placeOf(candidate),
    partner: partner && { ordinal: partner.ordinal, ...placeOf(partner.candidate) },
  }));
  const stream = client.streamSamples({
    leaseId: 'replay',
    dataset: 'default',
    datasetFingerprint: '',
    runSeed: 5,
    epoch: 1,
    chunkShape: CHUNK_SHAPE,
    augmentation: AUGMENTATION,
    samples,
    margin: true,
    voxelType: VoxelType.FLOAT32,
    border: BorderRule.UNSPECIFIED,
  });
  const hashes: string[] = [];
  for await (const { result } of readStream(stream)) {
    if (result?.$case !== 'sample') throw new Error('the worker sent no sample');
    expect(result.value.borderFraction).toBe(0);
    hashes.push(createHash('sha256').update(result.value.voxelsHu).digest('hex'));
  }
  client.close();
  expect(hashes).toEqual(replayed.map(({ sha256 }) => sha256));
  for (const service of [worker, cache]) {
    service.signal('SIGTERM');
    expect((await service.finished).code).toBe(0);
  }
});
