import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { CHAPTER_AUGMENTATION } from '@lunastream/augmentation';
import { LocalStack } from '@lunastream/cli';
import {
  AugmentationServiceClient,
  BorderRule,
  VoxelType,
  type SampleReference,
} from '@lunastream/contracts';
import { loadDataset } from '@lunastream/dataset';
import { generatePhantom } from '@lunastream/phantom';
import { createClient, readStream, type EventLoopDelay } from '@lunastream/service-kit';
import { Option } from 'commander';
import { HealthProbe } from './health-probe.ts';
import { median } from './measure.ts';
import type { Suite, SuiteOptions } from './suite.ts';

interface WorkerOptions extends SuiteOptions {
  readonly samples: number;
  readonly threads?: number;
  readonly chunkCache: string;
  readonly float16?: true;
}

const SHAPE = { depth: 32, height: 48, width: 48 };
const LEASE_SAMPLES = 32;
const LEASES_AT_ONCE = 4;
/** How often the worker is asked for its health while it works. */
const PROBE_INTERVAL_MS = 20;
/**
 * The resident set is read this often. Single readings swing by a tenth with what the garbage collector has not yet
 * given back, so medians of tenths of the samples are compared: the second, when pools are full, and the last.
 */
const MEMORY_READINGS = 200;

/** How fast is a worker process as a whole, and is it free to answer meanwhile? */
export const workerSuite: Suite<WorkerOptions> = {
  name: 'worker',
  question: 'samples a second of one worker process over gRPC, how fast it answers meanwhile, and its memory',
  addOptions: (command) =>
    command
      .addOption(new Option('--samples <count>', 'samples to stream').default(20_000).argParser(Number))
      .addOption(new Option('--threads <count>', 'threads of the worker (default: cores)').argParser(Number))
      .option('--chunk-cache <size>', 'raw chunks that the worker keeps; 0 fetches each again', '0')
      .option('--float16', 'send float16'),
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'lunastream-bench-worker-'));
    try {
      return await measureIn(folder, options);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function measureIn(folder: string, { samples, threads, chunkCache, float16 }: WorkerOptions) {
  const { outDir } = await generatePhantom({
    outDir: join(folder, 'data'),
    background: 'synthetic',
    seed: 1,
    scanCount: 2,
    nodulesPerScan: 4,
    negativesPerNodule: 15,
  });
  const stack = await LocalStack.start({
    datasets: { default: outDir },
    workerCount: 1,
    runsFolder: join(folder, 'runs'),
    stateFolder: join(folder, 'state'),
    trainerPort: 0,
    environment: {
      AUGMENTATION_CHUNK_CACHE: chunkCache,
      ...(threads === undefined ? {} : { AUGMENTATION_THREADS: String(threads) }),
    },
    onRestart: (sentence) => {
      throw new Error(sentence);
    },
  });
  try {
    const { fingerprint, references } = await referencesOf(outDir);
    const [address] = stack.addresses.workers;
    const { pid } = stack.processes.find(({ name }) => name === 'augmentation-1')!;
    const voxelType = float16 ? VoxelType.FLOAT16 : VoxelType.FLOAT32;
    const figures = await stream(address!, pid, { samples, references, fingerprint, voxelType });
    await stack.stop();
    const { eventLoopDelay, rawChunks } = await readLog(join(folder, 'state/logs/augmentation-1.log'));
    return {
      ...figures,
      event_loop_delay_ms_p50: eventLoopDelay.p50Ms,
      event_loop_delay_ms_p99: eventLoopDelay.p99Ms,
      kept_chunk_hit_rate: rawChunks.hitCount / Math.max(1, rawChunks.hitCount + rawChunks.missCount),
    };
  } finally {
    await stack.stop();
  }
}

/** What a worker logs when it stops. */
interface WorkerLog {
  readonly eventLoopDelay: EventLoopDelay;
  readonly rawChunks: { readonly hitCount: number; readonly missCount: number };
}

async function readLog(logPath: string): Promise<WorkerLog> {
  const lines = (await readFile(logPath, 'utf8')).trim().split('\n');
  return Object.assign({}, ...lines.map((line) => JSON.parse(line) as object)) as WorkerLog;
}

async function referencesOf(folder: string) {
  const { candidates, fingerprint } = await loadDataset(folder);
  const references = candidates.map(({ seriesUid, centerXyzMm: [x, y, z] }) => ({
    seriesUid,
    centerXyzMm: { x, y, z },
    partner: undefined,
  }));
  return { fingerprint, references };
}

/** Resident set of a process in MiB. */
function residentMb(pid: number): number {
  const stdout = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Number(stdout) / 1024;
}

async function stream(
  address: string,
  pid: number,
  {
    samples,
    references,
    fingerprint,
    voxelType,
  }: {
    readonly samples: number;
    readonly references: readonly Omit<SampleReference, 'ordinal'>[];
    readonly fingerprint: string;
    readonly voxelType: VoxelType;
  },
) {
  const client = createClient(AugmentationServiceClient, address);
  const probe = new HealthProbe(address, PROBE_INTERVAL_MS);
  let nextOrdinal = 0;
  let received = 0;
  const residentsMb: number[] = [];
  const lease = () => {
    const first = nextOrdinal;
    nextOrdinal = Math.min(samples, first + LEASE_SAMPLES);
    return Array.from({ length: nextOrdinal - first }, (_, index) => {
      const ordinal = first + index;
      return { ordinal, ...references[ordinal % references.length]! };
    });
  };
  const readLeases = async () => {
    for (let wanted = lease(); wanted.length > 0; wanted = lease()) {
      const responses = client.streamSamples({
        leaseId: 'bench',
        dataset: 'default',
        datasetFingerprint: fingerprint,
        runSeed: 1,
        epoch: 1,
        chunkShape: SHAPE,
        augmentation: CHAPTER_AUGMENTATION,
        samples: wanted,
        margin: false,
        border: BorderRule.UNSPECIFIED,
        voxelType,
      });
      for await (const { result } of readStream(responses)) {
        if (result?.$case !== 'sample')
          throw new Error(`the worker sent no sample: ${result?.value.message}`);
        const isReading = Math.floor((++received * MEMORY_READINGS) / samples) > residentsMb.length;
        if (isReading) residentsMb.push(residentMb(pid));
      }
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: LEASES_AT_ONCE }, readLeases));
  const seconds = (performance.now() - startMs) / 1000;
  const tenth = (index: number) =>
    median(
      residentsMb.slice(
        (residentsMb.length * index) / 10,
        Math.ceil((residentsMb.length * (index + 1)) / 10),
      ),
    );
  const [warmMb, endMb] = [tenth(1), tenth(9)];
  const health = probe.close();
  client.close();
  return {
    samples: received,
    samples_per_second: received / seconds,
    health_ms_p50: health.p50Ms,
    health_ms_p99: health.p99Ms,
    rss_mb_warm: warmMb,
    rss_mb_end: endMb,
    rss_mb_peak: Math.max(...residentsMb),
    rss_growth: endMb / warmMb - 1,
  };
}
