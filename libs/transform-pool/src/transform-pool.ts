import { Worker } from 'node:worker_threads';
import { Augmenter } from '@lunastream/augmentation';
import { changesVoxels, makeSample, sampleBufferBytes } from './make-sample.ts';
import type { AtOnceMaker } from './sample-maker.ts';
import type {
  MadeSample,
  SampleKind,
  SampleLayout,
  TransformAnswer,
  TransformCall,
  TransformJob,
} from './transform-messages.ts';

/** Jobs that a thread may have waiting: with two it never idles between samples. */
const JOBS_PER_THREAD = 2;
/** Buffers of samples kept for the next ones, per thread: senders give them back in bursts. */
const KEPT_BUFFERS_PER_THREAD = 16;

/** Largest sample that is made at once where nothing is to be done to it: some 0.2 ms of the calling thread. */
const MOST_BYTES_AT_ONCE = 2 ** 20;

interface PendingJob {
  readonly resolve: (made: MadeSample) => void;
  readonly reject: (error: unknown) => void;
}

interface TransformThread {
  readonly thread: Worker;
  readonly pending: Map<number, PendingJob>;
}

export interface TransformPoolOptions {
  readonly threads: number;
  /** Bytes left free in front of each sample's voxels, a multiple of 4; 0 unless given. */
  readonly headroomBytes?: number;
  /** Whether samples are told with their checksum; not unless given. */
  readonly withChecksum?: boolean;
  /** Starts a thread that answers as transform-thread.ts does. */
  readonly startThread?: () => Worker;
}

/**
 * Threads that make samples. Each is synchronous and keeps nothing between samples, so which thread makes one, and when,
 * changes no byte. A thread that crashes fails the jobs it had; the next job starts another. Samples to which nothing is
 * done are made by the caller's thread: handing them over takes longer.
 */
export class TransformPool implements AtOnceMaker {
  readonly #startThread: () => Worker;
  readonly #threadCount: number;
  readonly #layout: SampleLayout;
  readonly #threads: TransformThread[] = [];
  readonly #keptBuffers: ArrayBuffer[] = [];
  /** Of the caller's thread, made when it is first needed. */
  #augmenter: Augmenter | undefined;
  #nextId = 0;
  #closed = false;

  constructor(options: TransformPoolOptions) {
    const { threads, headroomBytes = 0, withChecksum = false, startThread = startTransformThread } = options;
    this.#startThread = startThread;
    this.#threadCount = threads;
    this.#layout = { headroomBytes, withChecksum };
    this.#startMissing();
  }

  get capacity(): number {
    return this.#threadCount * JOBS_PER_THREAD;
  }

  get threadCount(): number {
    return this.#threadCount;
  }

  /** Jobs that are not done yet. */
  get pendingCount(): number {
    return this.#threads.reduce((sum, { pending }) => sum + pending.size, 0);
  }

  /** Makes a sample on the least busy thread, or at once where that is less work. Rejects with what making it threw. */
  async make(job: TransformJob): Promise<MadeSample> {
    if (job.partner === undefined && this.makesAtOnce(job)) return this.makeAtOnce(job);
    this.#assertOpen();
    return await this.#makeOnThread(job, this.#takeBuffer(job));
  }

  makesAtOnce(kind: SampleKind): boolean {
    return sampleBufferBytes(kind, this.#layout) <= MOST_BYTES_AT_ONCE && !changesVoxels(kind.augmentation);
  }

  makeAtOnce(job: TransformJob): MadeSample {
    this.#assertOpen();
    this.#augmenter ??= new Augmenter();
    return makeSample(this.#augmenter, job, this.#layout, this.#takeBuffer(job));
  }

  giveBack(buffer: ArrayBuffer): void {
    this.#keptBuffers.push(buffer);
    // The oldest go: they may have the size of samples that nobody asks for any more.
    if (this.#keptBuffers.length > this.#threadCount * KEPT_BUFFERS_PER_THREAD) this.#keptBuffers.shift();
  }

  /** Ends the threads; jobs under way reject. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map(({ thread }) => thread.terminate()));
  }

  #makeOnThread(job: TransformJob, buffer: ArrayBuffer | undefined): Promise<MadeSample> {
    this.#startMissing();
    const [least] = [...this.#threads].sort((a, b) => a.pending.size - b.pending.size) as [TransformThread];
    const call: TransformCall = { id: this.#nextId++, job, layout: this.#layout, buffer };
    return new Promise((resolve, reject) => {
      least.pending.set(call.id, { resolve, reject });
      least.thread.postMessage(call, buffer === undefined ? [] : [buffer]);
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('internal: the transform pool is closed');
  }

  #takeBuffer(job: TransformJob): ArrayBuffer | undefined {
    const sizeBytes = sampleBufferBytes(job, this.#layout);
    const at = this.#keptBuffers.findLastIndex((buffer) => buffer.byteLength === sizeBytes);
    return at === -1 ? undefined : this.#keptBuffers.splice(at, 1)[0]!;
  }

  #startMissing(): void {
    while (this.#threads.length < this.#threadCount) this.#threads.push(this.#start());
  }

  #start(): TransformThread {
    const started: TransformThread = { thread: this.#startThread(), pending: new Map() };
    started.thread.on('message', (answer: TransformAnswer) => this.#settle(started, answer));
    let cause: unknown;
    started.thread.on('error', (error) => (cause = error));
    started.thread.on('exit', () => this.#onExit(started, cause));
    return started;
  }

  #settle({ pending }: TransformThread, answer: TransformAnswer): void {
    const job = pending.get(answer.id);
    pending.delete(answer.id);
    if ('made' in answer) job?.resolve(answer.made);
    else job?.reject(answer.error);
  }

  #onExit(ended: TransformThread, cause: unknown): void {
    for (const { reject } of ended.pending.values()) {
      reject(new Error('internal: a transform thread ended', { cause }));
    }
    ended.pending.clear();
    this.#threads.splice(this.#threads.indexOf(ended), 1);
  }
}

/** A thread makes little but messages; by default its young objects would slowly take ten times this before any goes. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 6 };

function startTransformThread(): Worker {
  return new Worker(new URL('./transform-thread.js', import.meta.url), { resourceLimits: THREAD_LIMITS });
}
