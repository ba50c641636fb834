import { gaussianQuantile, philox4x32, type Words4 } from '@lunastream/random';

/** What the simulated workers are like. */
export interface WorkerModel {
  /** Mean samples per second of one. */
  readonly throughput: number;
  /** Relative standard deviation of a worker's throughput from second to second. */
  readonly noise: number;
  /** From the decision to a pod that answers: scheduling, image, start, discovery. */
  readonly startSeconds: number;
}

/** Workers that start late and give a little more or less in every second. */
export class WorkerFleet {
  readonly #model: WorkerModel;
  /** When each worker answers or will. */
  #readyAt: number[];

  constructor(model: WorkerModel, replicas: number) {
    this.#model = model;
    this.#readyAt = Array.from({ length: replicas }, () => 0);
  }

  /** Workers that are there or starting. */
  get replicas(): number {
    return this.#readyAt.length;
  }

  readyCount(second: number): number {
    return this.#readyAt.filter((readyAt) => readyAt <= second).length;
  }

  /** Starts or ends workers; those that started last are ended first, as they hold the least. */
  resize(second: number, replicas: number): void {
    const added = Math.max(0, replicas - this.#readyAt.length);
    const readyAt = second + this.#model.startSeconds;
    this.#readyAt = [...this.#readyAt.slice(0, replicas), ...Array.from({ length: added }, () => readyAt)];
  }

  /** Samples that all of them could give in this second. */
  supply(second: number): number {
    let total = 0;
    for (const [worker, readyAt] of this.#readyAt.entries()) {
      if (readyAt <= second) total += this.#model.throughput * noiseOf(second, worker, this.#model.noise);
    }
    return total;
  }
}

/** Keeps these draws apart from any other of the generator. */
const NOISE_KEY = [0x73636c65, 0] as const;

/** A factor around 1, never below a tenth; a pure function of its arguments. */
function noiseOf(second: number, worker: number, relativeDeviation: number): number {
  const words: Words4 = [0, 0, 0, 0];
  philox4x32([second, worker, 0, 0], NOISE_KEY, words);
  const probability = (words[0] + 0.5) / 2 ** 32;
  return Math.max(0.1, 1 + relativeDeviation * gaussianQuantile(probability));
}
