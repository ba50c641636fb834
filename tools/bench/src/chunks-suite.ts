import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { LocalStack } from '@lunastream/cli';
import { openChunkSource, type ChunkSource } from '@lunastream/chunk-source';
import { loadDataset, type Dataset } from '@lunastream/dataset';
import { generatePhantom } from '@lunastream/phantom';
import {
  CHUNK_HU_RANGE,
  cropChunk,
  irc,
  ircToXyz,
  readVolume,
  voxelCount,
  type Irc,
  type Shape,
  type XyzMm,
} from '@lunastream/volume';
import { ChunkReader } from './chunk-reader.ts';
import { median, quantile } from './measure.ts';
import { rawBytesPerSecond } from './raw-grpc.ts';
import type { Suite, SuiteOptions } from './suite.ts';

interface ChunksOptions extends SuiteOptions {
  readonly chunks: number;
  readonly rounds: number;
}

/** As large as a LUNA16 scan is: 157 MB. */
const SCAN_SHAPE: Shape = { depth: 300, height: 512, width: 512 };
const CHUNK_SHAPE: Shape = { depth: 32, height: 48, width: 48 };
const EXTENT = { shape: CHUNK_SHAPE, grownShape: CHUNK_SHAPE };
const CHUNK_BYTES = voxelCount(CHUNK_SHAPE) * Int16Array.BYTES_PER_ELEMENT;
/** Of a chunk's message: index, shape, tags and lengths. */
const MESSAGE_OVERHEAD_BYTES = 20;
/** As many calls at a time as a worker has leases under way. */
const STREAMS = 2;
const WHOLE_SCAN_ROUNDS = 7;
const BYTES_PER_MB = 1e6;
const US_PER_MS = 1000;

/** How fast does a chunk come, from wherever it lies? */
export const chunksSuite: Suite<ChunksOptions> = {
  name: 'chunks',
  question:
    'a chunk of a scan of 300x512x512: cold, from each tier, over gRPC, streamed, against raw grpc-js',
  addOptions: (command) =>
    command
      .option('--chunks <count>', 'chunks, each at a place of its own', Number, 300)
      .option('--rounds <count>', 'rounds of streaming, raw grpc-js in between', Number, 5),
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'lunastream-bench-chunks-'));
    try {
      const { outDir: data } = await generatePhantom({
        outDir: join(folder, 'data'),
        background: 'synthetic',
        seed: 1,
        scanCount: 1,
        nodulesPerScan: 4,
        negativesPerNodule: 15,
        shape: SCAN_SHAPE,
      });
      const dataset = await loadDataset(data);
      const wholeScanMs = await wholeScanMedianMs(dataset);
      const served = await measureService(folder, data, { dataset, options });
      return {
        ...served,
        whole_scan_ms: wholeScanMs,
        whole_scan_to_cold: wholeScanMs / served.cold_ms_p50,
        ...(await measureTiers(folder, data, options)),
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

const seriesOf = ({ series }: Dataset) => [...series.values()][0]!;

/** Places spread evenly over the scan, no two alike: multiples of irrational numbers, their whole parts left out. */
function centersIrc(count: number): Irc[] {
  // Powers of the root of x^4 = x + 1 (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences").
  const steps = [0.8191725133961645, 0.6710436067037893, 0.5497004779019703];
  const extents = [SCAN_SHAPE.depth, SCAN_SHAPE.height, SCAN_SHAPE.width];
  return Array.from({ length: count }, (_, number) => {
    const [index, row, column] = steps.map((step, axis) =>
      Math.floor(((number * step) % 1) * extents[axis]!),
    );
    return irc(index!, row!, column!);
  });
}

function centersOf(dataset: Dataset, count: number): XyzMm[] {
  return centersIrc(count).map((center) => ircToXyz(seriesOf(dataset).geometry, center));
}

/** What the book does for one chunk: reads the scan whole, as float32, clips it, and cuts. */
async function wholeScanMedianMs(dataset: Dataset): Promise<number> {
  const { path } = seriesOf(dataset);
  const times: number[] = [];
  for (const center of centersIrc(WHOLE_SCAN_ROUNDS)) {
    const startMs = performance.now();
    const { geometry, voxelsHu } = await readVolume(path);
    const clipped = new Float32Array(voxelsHu.length);
    for (let at = 0; at < clipped.length; at++) {
      clipped[at] = Math.min(Math.max(voxelsHu[at]!, CHUNK_HU_RANGE.minimum), CHUNK_HU_RANGE.maximum);
    }
    cropChunk({ geometry, voxelsHu }, center, CHUNK_SHAPE);
    times.push(performance.now() - startMs);
  }
  return median(times);
}

/** Chunks of a cache process, over gRPC. */
async function measureService(
  folder: string,
  data: string,
  { dataset, options: { chunks, rounds } }: { readonly dataset: Dataset; readonly options: ChunksOptions },
) {
  const stack = await LocalStack.start({
    datasets: { default: data },
    workerCount: 1,
    runsFolder: join(folder, 'runs'),
    stateFolder: join(folder, 'state'),
    trainerPort: 0,
    environment: {},
    onRestart: (sentence) => {
      throw new Error(sentence);
    },
  });
  const reader = new ChunkReader(stack.addresses.chunkCache!, {
    seriesUid: seriesOf(dataset).seriesUid,
    shape: CHUNK_SHAPE,
    centers: centersOf(dataset, chunks),
  });
  try {
    await reader.open();
    const before = await reader.sourceReadBytes();
    const cold = await reader.eachMs();
    const coldBytes = (await reader.sourceReadBytes()) - before;
    const warm: number[] = [];
    for (let round = 0; round < rounds; round++) warm.push(...(await reader.eachMs()));
    return {
      cold_ms_p50: median(cold),
      cold_ms_p99: quantile(cold, 0.99),
      cold_bytes_read: Math.round(coldBytes / chunks),
      rpc_warm_ms_p50: median(warm),
      rpc_warm_ms_p99: quantile(warm, 0.99),
      ...(await measureStreaming(reader, rounds)),
    };
  } finally {
    reader.close();
    await stack.stop();
  }
}

async function measureStreaming(reader: ChunkReader, rounds: number) {
  const messageBytes = CHUNK_BYTES + MESSAGE_OVERHEAD_BYTES;
  const [raw, ours, ratios]: [number[], number[], number[]] = [[], [], []];
  // The first warms up compilers.
  await reader.chunksPerSecond(STREAMS);
  for (let round = 0; round < rounds; round++) {
    raw.push(await rawBytesPerSecond({ messageBytes, streams: STREAMS }));
    ours.push(await reader.chunksPerSecond(STREAMS));
    ratios.push((ours.at(-1)! * messageBytes) / raw.at(-1)!);
  }
  return {
    chunks_per_second: median(ours),
    megabytes_per_second: (median(ours) * CHUNK_BYTES) / BYTES_PER_MB,
    raw_grpc_megabytes_per_second: median(raw) / BYTES_PER_MB,
    ratio_to_raw: median(ratios),
  };
}

/** Chunks within one process: from its memory, and from lmdb alone. */
async function measureTiers(folder: string, data: string, { chunks, rounds }: ChunksOptions) {
  const tierUs = async (memoryLimitBytes: number) => {
    const source = openChunkSource(
      {
        datasets: [{ name: 'default', folder: data }],
        storeFolder: join(folder, 'tiers'),
        memoryLimitBytes,
        storeLimitBytes: 2 ** 30,
        volumeLimitBytes: 2 ** 20,
      },
      {
        onTierError: (tier, cause) => {
          throw new Error(`tier ${tier} failed`, { cause });
        },
      },
    );
    await eachUs(source, chunks);
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(...(await eachUs(source, chunks)));
    await source.close();
    return median(times);
  };
  return {
    warm_memory_us_p50: await tierUs(2 ** 30),
    // Memory for no chunk: all come from what the source before has left in lmdb.
    warm_lmdb_us_p50: await tierUs(1),
  };
}

async function eachUs(source: ChunkSource, count: number): Promise<number[]> {
  const dataset = await source.getDataset('default');
  const { seriesUid } = seriesOf(dataset);
  const times: number[] = [];
  for (const center of centersOf(dataset, count)) {
    const startMs = performance.now();
    await source.getChunk(dataset, seriesUid, center, EXTENT);
    times.push((performance.now() - startMs) * US_PER_MS);
  }
  return times;
}
