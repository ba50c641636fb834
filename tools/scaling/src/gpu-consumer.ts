/** What a data plane has to give one trainer that takes so many samples a second, from measured figures of its parts. */
import { WORKER } from './scenarios.ts';

/** Measured on two cores; which command prints it for another machine stands in docs/scaling.md. */
export interface PartFigures {
  /** Of one worker over gRPC, and the cores that it, its cache and its client shared. */
  readonly workerSamplesPerSecond: number;
  readonly workerCores: number;
  /** Of one core that does nothing but all five transforms. */
  readonly transformsPerSecond: number;
  /** Of the trainer's receiving thread for a sample of float32, and of the engine's thread until a GPU has it. */
  readonly receiveMs: number;
  readonly sendUpMs: number;
}

export const PARTS: PartFigures = {
  workerSamplesPerSecond: WORKER.throughput,
  workerCores: 2,
  transformsPerSecond: 5900,
  receiveMs: 0.139,
  sendUpMs: 0.085,
};

/** Samples per second that a GPU might take; none was measured. */
export const RATES: readonly number[] = [500, 1000, 2500, 5000, 10_000];

const SAMPLE_VOXELS = 32 * 48 * 48;
/** With the margin that the chapter's augmentation turns and moves, int16. */
const CHUNK_BYTES = 42 * 86 * 86 * 2;
const MEGABYTE = 1e6;

export interface ConsumerNeeds {
  readonly workers: number;
  readonly workerCores: number;
  /** Fewest cores where nothing but the transforms takes time: samples made beside the GPU, from chunks that are kept. */
  readonly transformCores: number;
  /** Into the trainer, MB/s. */
  readonly float32MegabytesPerSecond: number;
  readonly float16MegabytesPerSecond: number;
  /** Into the workers, MB/s, where they keep no chunks. */
  readonly chunkMegabytesPerSecond: number;
  /** Shares of a thread's time; above 1 it can't. */
  readonly receivingShare: number;
  readonly sendingUpShare: number;
}

/** `headroom`: workers beyond what is needed on average, as in the rule that scales them: 1.15. */
export function consumerNeeds(samplesPerSecond: number, headroom: number, parts = PARTS): ConsumerNeeds {
  const wanted = headroom * samplesPerSecond;
  const workers = Math.ceil(wanted / parts.workerSamplesPerSecond);
  const megabytes = (bytes: number) => (samplesPerSecond * bytes) / MEGABYTE;
  return {
    workers,
    workerCores: workers * parts.workerCores,
    transformCores: Math.ceil(wanted / parts.transformsPerSecond),
    float32MegabytesPerSecond: megabytes(SAMPLE_VOXELS * Float32Array.BYTES_PER_ELEMENT),
    float16MegabytesPerSecond: megabytes(SAMPLE_VOXELS * Uint16Array.BYTES_PER_ELEMENT),
    chunkMegabytesPerSecond: megabytes(CHUNK_BYTES),
    receivingShare: (samplesPerSecond * parts.receiveMs) / 1000,
    sendingUpShare: (samplesPerSecond * parts.sendUpMs) / 1000,
  };
}

export const CONSUMER_HEADINGS = [
  'samples per second',
  'workers',
  'their cores',
  'cores, transforms alone',
  'into the trainer, MB/s',
  'as float16, MB/s',
  'from caches, MB/s',
  'receiving thread',
  'engine thread',
] as const;

/** A row for each rate, as docs/scaling.md has them. */
export function consumerRows(headroom: number): string[][] {
  const whole = (value: number) => Math.round(value).toLocaleString('en-US');
  const percent = (share: number) => `${whole(100 * share)} %`;
  return RATES.map((rate) => {
    const needs = consumerNeeds(rate, headroom);
    return [
      ...[rate, needs.workers, needs.workerCores, needs.transformCores].map(whole),
      ...[
        needs.float32MegabytesPerSecond,
        needs.float16MegabytesPerSecond,
        needs.chunkMegabytesPerSecond,
      ].map(whole),
      ...[needs.receivingShare, needs.sendingUpShare].map(percent),
    ];
  });
}
