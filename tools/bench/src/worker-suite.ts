import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
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
import type { Suite, SuiteOptions } from './suite.ts';

const run = promisify(execFile);

interface WorkerOptions extends SuiteOptions {
  readonly samples: number;
  readonly threads?: number;
}

const SHAPE = { depth: 32, height: 48, width: 48 };
const LEASE_SAMPLES = 32;
const LEASES_AT_ONCE = 4;
/** How often the worker is asked for its health while it works. */
const PROBE_INTERVAL_MS = 20;
/** The resident set is read first after this share of the samples: caches are warm, pools are full. */
const WARM_SHARE = 0.1;

/** How fast is a worker process as a whole, and is it free to answer meanwhile? */
export const workerSuite: Suite<WorkerOptions> = {
  name: 'worker',
  question: 'samples a second of one worker process over gRPC, how fast it answers meanwhile, and its memory',
  addOptions: (command) =>
    command
      .addOption(new Option('--samples <count>', 'samples to stream').default(20_000).argParser(Number))
      .addOption(new Option('--threads <count>', 'threads of the worker (default: cores)').argParser(Number)),
  async run({ samples, threads }) {
    const folder = await mkdtemp(join(tmpdir(), 'lunastream-bench-worker-'));
    try {
      return await measureIn(folder, samples, threads);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function measureIn(folder: string, samples: number, threads: number | undefined) {
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
    environment: threads === undefined ? {} : { AUGMENTATION_THREADS: String(threads) },
    onRestart: (sentence) => {
      throw new Error(sentence);
    },
  });
  try {
    const references = await referencesOf(outDir);
    const [address] = stack.addresses.workers;
    const { pid } = stack.processes.find(({ name }) => name === 'augmentation-1')!;
    const figures = await stream(address!, pid, { samples, references });
    await stack.stop();
    const delay = await readEventLoopDelay(join(folder, 'state/logs/augmentation-1.log'));
    return { ...figures, event_loop_delay_ms_p50: delay.p50Ms, event_loop_delay_ms_p99: delay.p99Ms };
  } finally {
    await stack.stop();
  }
}

/** What the worker logs about its event loop when it stops. */
async function readEventLoopDelay(logPath: string): Promise<EventLoopDelay> {
  const lines = (await readFile(logPath, 'utf8')).trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { eventLoopDelay?: EventLoopDelay });
  return entries.find(({ eventLoopDelay }) => eventLoopDelay !== undefined)!.eventLoopDelay!;
}

async function referencesOf(folder: string): Promise<Omit<SampleReference, 'ordinal'>[]> {
  const { candidates } = await loadDataset(folder);
  return candidates.map(({ seriesUid, centerXyzMm: [x, y, z] }) => ({
    seriesUid,
    centerXyzMm: { x, y, z },
    partner: undefined,
  }));
}

/** Resident set of a process in MiB. */
async function residentMb(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) / 1024;
}

async function stream(
  address: string,
  pid: number,
  {
    samples,
    references,
  }: { readonly samples: number; readonly references: Omit<SampleReference, 'ordinal'>[] },
) {
  const client = createClient(AugmentationServiceClient, address);
  const probe = new HealthProbe(address, PROBE_INTERVAL_MS);
  let nextOrdinal = 0;
  let received = 0;
  let warmMb: number | undefined;
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
        datasetFingerprint: '',
        runSeed: 1,
        epoch: 1,
        chunkShape: SHAPE,
        augmentation: CHAPTER_AUGMENTATION,
        samples: wanted,
        margin: false,
        voxelType: VoxelType.FLOAT32,
        border: BorderRule.UNSPECIFIED,
      });
      for await (const { result } of readStream(responses)) {
        if (result?.$case !== 'sample')
          throw new Error(`the worker sent no sample: ${result?.value.message}`);
        received++;
        if (received === Math.ceil(samples * WARM_SHARE)) warmMb = await residentMb(pid);
      }
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: LEASES_AT_ONCE }, readLeases));
  const seconds = (performance.now() - startMs) / 1000;
  const endMb = await residentMb(pid);
  const health = probe.close();
  client.close();
  return {
    samples: received,
    samples_per_second: received / seconds,
    health_ms_p50: health.p50Ms,
    health_ms_p99: health.p99Ms,
    rss_mb_warm: warmMb ?? endMb,
    rss_mb_end: endMb,
    rss_growth: endMb / (warmMb ?? endMb) - 1,
  };
}
