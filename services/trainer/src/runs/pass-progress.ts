import type { Batch, BatchResult } from '@lunastream/engine';
import type { Clock } from '../clock.ts';
import { EstimateLines } from './estimate-lines.ts';
import type { RunJournal } from './run-journal.ts';
import type { SampleSource } from '../supply/sample-source.ts';

/** Progress is told at most ten times a second. */
const PROGRESS_INTERVAL_MS = 100;
/** How often it is asked whether the samples wait for anything. */
const WAITING_INTERVAL_MS = 1_000;

/** What a pass is, for those who watch it. */
export interface PassView {
  readonly epoch: number;
  readonly split: 'trn' | 'val';
  readonly sampleCount: number;
  readonly batchSize: number;
  /** Samples done before, and the sum of their losses: the pass goes on from there. */
  readonly doneBefore: { readonly samples: number; readonly lossSum: number };
  /** Augmentation workers, for the estimate lines. */
  readonly workerCount: number;
}

/** What the progress of a pass is made from and told to. */
export interface PassProgressParts {
  readonly samples: Pick<SampleSource, 'waitingFor'>;
  readonly journal: RunJournal;
  readonly clock: Clock;
}

/** Tells where a pass stands: estimate lines, progress, and what it waits for. */
export class PassProgress {
  readonly #parts: PassProgressParts;
  readonly #pass: PassView;
  readonly #estimate: EstimateLines;
  readonly #startMs: number;
  readonly #waitingTimer: NodeJS.Timeout;
  #doneSamples: number;
  #lossSum: number;
  #lastToldMs = -Infinity;
  #batchIndex = 0;
  #doneAtTick: number;

  constructor(parts: PassProgressParts, pass: PassView) {
    this.#parts = parts;
    this.#pass = pass;
    this.#doneSamples = pass.doneBefore.samples;
    this.#doneAtTick = this.#doneSamples;
    this.#lossSum = pass.doneBefore.lossSum;
    this.#startMs = parts.clock.nowMs();
    this.#estimate = new EstimateLines({
      description: `E${pass.epoch} ${pass.split === 'trn' ? 'Training' : 'Validation '}`,
      batchCount: Math.ceil((pass.sampleCount - pass.doneBefore.samples) / pass.batchSize),
      skippedBatches: pass.workerCount,
    });
    this.#line('WARNING', this.#estimate.start(parts.clock.now()));
    this.#tell(undefined);
    this.#waitingTimer = setInterval(() => this.#tellWaiting(), WAITING_INTERVAL_MS);
  }

  afterBatch({ count }: Batch, { losses }: BatchResult): void {
    this.#doneSamples += count;
    for (const loss of losses) this.#lossSum += loss;
    const line = this.#estimate.afterBatch(this.#batchIndex++, this.#parts.clock.now());
    if (line !== undefined) this.#line('INFO', line);
    const isLast = this.#doneSamples === this.#pass.sampleCount;
    if (isLast || this.#parts.clock.nowMs() - this.#lastToldMs >= PROGRESS_INTERVAL_MS) this.#tell(undefined);
  }

  end(): void {
    this.#line('WARNING', this.#estimate.end(this.#parts.clock.now()));
  }

  close(): void {
    clearInterval(this.#waitingTimer);
  }

  /** Samples that are there already keep the engine busy for a while: only then does it wait. */
  #tellWaiting(): void {
    const isIdle = this.#doneSamples === this.#doneAtTick;
    this.#doneAtTick = this.#doneSamples;
    const waitingFor = this.#parts.samples.waitingFor();
    if (isIdle && waitingFor !== undefined) this.#tell(waitingFor);
  }

  #tell(waitingFor: string | undefined): void {
    const { journal, clock } = this.#parts;
    this.#lastToldMs = clock.nowMs();
    const seconds = (this.#lastToldMs - this.#startMs) / 1000;
    journal.add({
      kind: 'progress',
      progress: {
        epoch: this.#pass.epoch,
        split: this.#pass.split,
        doneSamples: this.#doneSamples,
        totalSamples: this.#pass.sampleCount,
        samplesPerSecond: seconds > 0 ? (this.#doneSamples - this.#pass.doneBefore.samples) / seconds : 0,
        meanLoss: this.#doneSamples > 0 ? this.#lossSum / this.#doneSamples : 0,
        waitingFor,
      },
    });
  }

  #line(level: 'INFO' | 'WARNING', text: string): void {
    this.#parts.journal.add({ kind: 'line', time: this.#parts.clock.now(), level, text });
  }
}
