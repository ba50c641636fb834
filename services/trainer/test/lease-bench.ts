import { status } from '@grpc/grpc-js';
import { ArrivalMemory, NO_AUGMENTATION } from '@lunastream/augmentation';
import type { ServerAddress } from '@lunastream/service-kit';
import { xyzMm } from '@lunastream/volume';
import { vi } from 'vitest';
import { LeaseScheduler } from '../src/supply/lease-scheduler.ts';
import type { SamplePlan, SampleStream } from '../src/supply/sample-source.ts';
import { WorkerPool } from '../src/supply/worker-pool.ts';
import { answerAll, grpcError, sampleAnswer, type AnswerLease, type FakeWorker } from './fake-worker.ts';

export const CHUNK_SHAPE = { depth: 1, height: 1, width: 2 };
export const SAMPLE_BYTES = 8;
export const OPTIONS = { leaseSize: 4, leasesPerWorker: 2, hedgeAfterMs: 1_000 };
/** Clocks that leases and rests go by. */
export const FAKE_TIMERS = {
  toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
} as const;

/** A scheduler of fake workers, and what it warned of. */
export interface LeaseBench {
  readonly pool: WorkerPool;
  readonly scheduler: LeaseScheduler;
  readonly warnings: string[];
  readonly open: (plan: SamplePlan) => SampleStream;
}

/** A server at `address` without a name. */
export const serverAt = (address: string): ServerAddress => ({ address, serverName: undefined });

/** The pool knows `workers` by their address; all of them are in it at first, or those of `addresses`. */
export function leaseBench(
  workers: readonly FakeWorker[],
  options: Partial<typeof OPTIONS> = {},
  addresses = workers.map(({ address }) => address),
): LeaseBench {
  const { leasesPerWorker, ...leaseOptions } = { ...OPTIONS, ...options };
  const connect = ({ address }: ServerAddress) =>
    workers.find((worker) => worker.address === address)!.client;
  const pool = new WorkerPool({ leasesPerWorker, connect });
  pool.setServers(addresses.map(serverAt));
  const scheduler = new LeaseScheduler(pool, leaseOptions, new ArrivalMemory(2 ** 16));
  const warnings: string[] = [];
  const open = (plan: SamplePlan) =>
    scheduler.open(plan, { warn: (sentence) => warnings.push(sentence), ask: (_firstOrdinal, ask) => ask() });
  return { pool, scheduler, warnings, open };
}

/** Places for `count` samples in shared memory. */
export const places = (count: number) => new Float32Array(new SharedArrayBuffer(count * SAMPLE_BYTES));

/** First voxels of the samples in `target`; both voxels of a sample are equal. */
export function ordinalsIn(target: Float32Array): number[] {
  const firsts = [...target].filter((_, index) => index % 2 === 0);
  if (firsts.some((first, index) => target[2 * index + 1] !== first)) throw new Error('a sample is torn');
  return firsts;
}

/** Lets time go on until `work` settles. */
export async function untilSettled<Value>(work: Promise<Value>): Promise<Value> {
  let isDone = false;
  const done = () => (isDone = true);
  work.then(done, done);
  while (!isDone) {
    await turn();
    vi.advanceTimersByTime(25);
  }
  return work;
}

/** Everything that a stream gives, in batches, several of them asked for ahead. */
export async function collect(
  stream: SampleStream,
  length: number,
  { batchSize = length, batchesAhead = 1 } = {},
): Promise<number[]> {
  const taken: number[] = [];
  const waiting: { target: Float32Array; filled: Promise<void> }[] = [];
  const takeOne = async () => {
    const { target, filled } = waiting.shift()!;
    await untilSettled(filled);
    taken.push(...ordinalsIn(target));
  };
  try {
    for (let first = 0; first < length; first += batchSize) {
      const target = places(Math.min(batchSize, length - first));
      const filled = stream.fill(first, target);
      filled.catch(() => undefined);
      waiting.push({ target, filled });
      if (waiting.length > batchesAhead) await takeOne();
    }
    while (waiting.length > 0) await takeOne();
  } finally {
    stream.close(new Error('collected'));
  }
  return taken;
}

export const planOf = (length: number): SamplePlan => ({
  dataset: 'default',
  datasetFingerprint: 'f00d',
  runSeed: 7,
  epoch: 3,
  chunkShape: CHUNK_SHAPE,
  augmentation: NO_AUGMENTATION,
  margin: false,
  voxelType: 'float32',
  border: 'shift',
  samples: Array.from({ length }, (_, ordinal) => ({
    seriesUid: `1.2.${ordinal}`,
    centerXyzMm: xyzMm(ordinal, 2, 3),
  })),
});
export const upTo = (length: number) => Array.from({ length }, (_, ordinal) => ordinal);
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Lets streams move for a while; rests only end where a test lets time pass. */
export async function settle(turns = 30): Promise<void> {
  for (let count = 0; count < turns; count++) await turn();
}

/** Sends the first `count` samples, then breaks with `error`. */
export const breakAfter = (
  count: number,
  error = grpcError(status.UNAVAILABLE, 'worker went away'),
): AnswerLease =>
  async function* ({ request, ordinals }) {
    for (const ordinal of ordinals.slice(0, count)) {
      yield sampleAnswer(request, ordinal);
      await turn();
    }
    throw error;
  };

/** Answers the first leases as listed, every later one in full. */
export const inTurn = (...answers: readonly AnswerLease[]): AnswerLease => {
  return (lease) => (answers[lease.index] ?? answerAll)(lease);
};
