import { status } from '@grpc/grpc-js';
import { NO_AUGMENTATION } from '@lunastream/augmentation';
import { xyzMm } from '@lunastream/volume';
import type { SamplePlan } from '../src/sample-source.ts';
import { answerAll, grpcError, sampleAnswer, type AnswerLease } from './fake-worker.ts';

export const CHUNK_SHAPE = { depth: 1, height: 1, width: 2 };
export const SAMPLE_BYTES = 8;
export const OPTIONS = { leaseSize: 4, leasesPerWorker: 2, bufferBytes: 1000 * SAMPLE_BYTES };
export const never: AbortSignal = new AbortController().signal;

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
