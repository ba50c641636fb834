import { NO_AUGMENTATION } from '@lunastream/augmentation';
import { epochPlan, type Candidate, type CandidateSplit } from '@lunastream/dataset';
import type { BatchResult, Checkpoint, Engine } from '@lunastream/engine';
import {
  epochLogLines,
  epochStartLine,
  epochWarnings,
  isBetter,
  overfittingWarning,
  scoreOf,
  summarizeEpoch,
  taskStartLine,
  toEpochRecord,
  type EpochRecord,
  type EpochSummary,
} from '@lunastream/metrics';
import { loadBatches, type LoadedBatch } from './batch-loader.ts';
import type { TrainingDataset } from './dataset-client.ts';
import { EstimateLines } from './estimate-lines.ts';
import { mixSamplesOfEpoch } from './mixed-samples.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunJournal } from './run-journal.ts';
import type { RunSettings } from './run-settings.ts';
import type { SampleSource } from './sample-source.ts';
import { describeLeftOut } from './split-dataset.ts';

/** Progress is told at most ten times a second. */
const PROGRESS_INTERVAL_MS = 100;
/** A batch that takes longer than this to fill is told as waiting. */
const WAITING_INTERVAL_MS = 1_000;

/** Time as a run sees it: results never depend on it. */
export interface Clock {
  /** Time of day, for log lines. */
  now(): Date;
  /** Milliseconds that never go back, for durations. */
  nowMs(): number;
}

/** Problems of the data set that are written to a run's log. */
const SHOWN_PROBLEMS = 3;

/** What a run is made of. */
export interface TrainingRunParts {
  readonly settings: RunSettings;
  readonly dataset: TrainingDataset;
  readonly split: CandidateSplit;
  readonly engine: Engine;
  readonly samples: SampleSource;
  readonly folder: RunFolder;
  readonly journal: RunJournal;
  readonly clock: Clock;
  /** Aborts when the run is to stop; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Where to go on from; absent starts at epoch 1. */
  readonly resumeFrom?: Checkpoint | undefined;
  /** Augmentation workers, for the estimate lines. */
  readonly workerCount: number;
}

/** What a finished run amounts to. */
export interface RunOutcome {
  readonly bestEpoch: number;
  readonly stallFraction: number;
}

/** One pass over a split. */
interface Pass {
  readonly epoch: number;
  readonly split: 'trn' | 'val';
  /** Candidates by ordinal. */
  readonly candidates: readonly Candidate[];
}

/** What a candidate is, whatever is mixed into its sample: scores count by this. */
function hardLabels(candidates: readonly Candidate[]): Uint8Array {
  return Uint8Array.from(candidates, ({ isNodule }) => Number(isNodule));
}

/** Trains and validates epoch after epoch: the chapter's `LunaTrainingApp.main`. */
export class TrainingRun {
  readonly #parts: TrainingRunParts;
  readonly #training: readonly Candidate[];
  readonly #validation: readonly Candidate[];
  #samplesSeen = 0;
  #bestEpoch = 0;
  #bestScore: number | undefined;
  #stallMs = 0;
  #busyMs = 0;

  constructor(parts: TrainingRunParts) {
    this.#parts = parts;
    this.#training = parts.split.training;
    this.#validation = parts.split.validation;
    this.#logDataset(parts.split.sharedSeriesCount);
  }

  /** Aborts when the run is to stop. */
  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  /** Epoch of the best checkpoint so far; 0 while there is none. */
  get bestEpoch(): number {
    return this.#bestEpoch;
  }

  /** Share of the time in passes that the engine spent waiting for samples, 0..1. */
  get stallFraction(): number {
    return this.#busyMs === 0 ? 0 : this.#stallMs / this.#busyMs;
  }

  /** Runs every epoch that is left. Rejects with the signal's reason when stopped. */
  async run(): Promise<RunOutcome> {
    const { settings, signal } = this.#parts;
    const firstEpoch = (await this.#resume()) + 1;
    for (let epoch = firstEpoch; epoch <= settings.epochs; epoch++) {
      signal.throwIfAborted();
      const candidates = this.#planTraining(epoch);
      this.#line(
        epochStartLine({
          epoch,
          epochs: settings.epochs,
          trainingBatches: Math.ceil(candidates.length / settings.batchSize),
          validationBatches: Math.ceil(this.#validation.length / settings.batchSize),
          batchSize: settings.batchSize,
          devices: 1,
        }),
      );
      const trained = await this.#pass({ epoch, split: 'trn', candidates });
      this.#samplesSeen += candidates.length;
      const validated = await this.#pass({ epoch, split: 'val', candidates: this.#validation });
      await this.#finishEpoch(trained, validated);
    }
    this.#line(this.#closingLine());
    return { bestEpoch: this.#bestEpoch, stallFraction: this.stallFraction };
  }

  /** The candidates that an epoch trains on, by ordinal. */
  #planTraining(epoch: number): Candidate[] {
    const { ratio, epochLength, seed } = this.#parts.settings;
    const plan = epochPlan({
      candidates: this.#training,
      ratio,
      ...(epochLength === undefined ? {} : { epochLength }),
      runSeed: seed,
      epoch,
    });
    return Array.from(plan, (index) => this.#training[index]!);
  }

  /** Puts model and counters where the checkpoint left them; returns the epochs that are done. */
  async #resume(): Promise<number> {
    const { resumeFrom, engine, folder, settings, journal } = this.#parts;
    if (resumeFrom === undefined) return 0;
    await engine.importState(resumeFrom.state);
    const { epoch, samplesSeen } = resumeFrom.metadata;
    this.#samplesSeen = samplesSeen;
    await folder.truncateEpochs(epoch);
    for (const record of await folder.readEpochs()) {
      journal.add({ kind: 'scores', record });
      if (record.split === 'val') this.#noteScore(record.epoch, scoreOf(record, settings.score));
    }
    this.#line(`Resumed after epoch ${epoch} of ${settings.epochs}, ${samplesSeen} samples seen`);
    return epoch;
  }

  async #pass(pass: Pass): Promise<EpochSummary> {
    const { settings, dataset, samples, clock, signal } = this.#parts;
    const { epoch, split, candidates } = pass;
    const { samples: planned, labels: softLabels } = this.#planSamples(pass);
    const isTraining = split === 'trn';
    const plan = {
      dataset: dataset.name,
      datasetFingerprint: dataset.fingerprint,
      runSeed: settings.seed,
      epoch,
      chunkShape: settings.chunkShape,
      augmentation: isTraining ? settings.augmentation : NO_AUGMENTATION,
      margin: isTraining && settings.margin,
      voxelType: settings.voxelType,
      border: settings.border,
      samples: planned,
    };
    const probabilities = new Float32Array(candidates.length);
    const losses = new Float32Array(candidates.length);
    const progress = new PassProgress(this.#parts, pass);
    const passStartMs = clock.nowMs();
    try {
      const batches = loadBatches({
        openSamples: (closed) => samples.stream(plan, AbortSignal.any([signal, closed])),
        labels: softLabels,
        batchSize: settings.batchSize,
        chunkShape: settings.chunkShape,
        nowMs: () => clock.nowMs(),
      });
      for await (const loaded of batches) {
        const result = await this.#compute(split, loaded);
        probabilities.set(result.probabilities, loaded.firstOrdinal);
        losses.set(result.losses, loaded.firstOrdinal);
        this.#stallMs += loaded.stallMs;
        progress.afterBatch(loaded, result);
      }
    } finally {
      progress.close();
      this.#busyMs += clock.nowMs() - passStartMs;
    }
    progress.end();
    if (isTraining) this.#logBorder(epoch);
    const labels = hardLabels(candidates);
    return summarizeEpoch({ epoch, split, labels, probabilities, losses, threshold: settings.threshold });
  }

  /** What is leased for a pass, and the labels to learn: soft ones where nodules are mixed. */
  #planSamples({ epoch, split, candidates }: Pass) {
    const { augmentation, seed } = this.#parts.settings;
    if (split === 'val' || augmentation.mixupAlpha === 0) {
      return { samples: candidates, labels: hardLabels(candidates) };
    }
    return mixSamplesOfEpoch(candidates, { runSeed: seed, epoch }, augmentation);
  }

  #logBorder(epoch: number): void {
    const fraction = this.#parts.samples.borderFraction();
    if (fraction === 0) return;
    const percent = (100 * fraction).toFixed(1);
    this.#line(
      `E${epoch} trn      ${percent}% of voxels repeat the border of their chunk (--margin avoids it)`,
    );
  }

  async #compute(split: 'trn' | 'val', { batch }: LoadedBatch): Promise<BatchResult> {
    const { engine, signal } = this.#parts;
    const result = await (split === 'trn' ? engine.trainBatch(batch) : engine.evaluateBatch(batch));
    signal.throwIfAborted();
    return result;
  }

  /** Records go first: a crash between them and the checkpoint is mended by truncateEpochs when resuming. */
  async #finishEpoch(trained: EpochSummary, validated: EpochSummary): Promise<void> {
    const { settings, folder, journal, engine } = this.#parts;
    const records: EpochRecord[] = [];
    for (const summary of [trained, validated]) {
      this.#line(taskStartLine(summary.epoch));
      for (const line of epochLogLines(summary)) this.#line(line);
      for (const warning of epochWarnings(summary)) this.#line(warning, 'WARNING');
      records.push(toEpochRecord(summary, this.#samplesSeen));
    }
    await folder.appendEpochs(records);
    const overfitting = overfittingWarning(await folder.readEpochs());
    if (overfitting !== undefined) this.#line(overfitting, 'WARNING');
    const checkpoint: Checkpoint = {
      state: await engine.exportState(),
      metadata: {
        epoch: validated.epoch,
        samplesSeen: this.#samplesSeen,
        runSeed: settings.seed,
        settings: JSON.parse(JSON.stringify(settings)) as Checkpoint['metadata']['settings'],
      },
    };
    if (this.#noteScore(validated.epoch, scoreOf(validated, settings.score))) {
      await folder.writeCheckpoint('best', checkpoint);
    }
    await folder.writeCheckpoint('last', checkpoint);
    for (const record of records) journal.add({ kind: 'scores', record });
  }

  /** Remembers the best epoch; tells whether `epoch` is the new best. */
  #noteScore(epoch: number, score: number | undefined): boolean {
    if (!isBetter(score, this.#bestScore)) return false;
    this.#bestScore = score;
    this.#bestEpoch = epoch;
    return true;
  }

  #logDataset(sharedSeriesCount: number): void {
    const { settings, dataset } = this.#parts;
    const ratio = settings.ratio === 0 ? 'unbalanced' : `${settings.ratio}:1`;
    for (const [name, candidates, shownRatio] of [
      ['training', this.#training, ratio],
      ['validation', this.#validation, 'unbalanced'],
    ] as const) {
      const positives = candidates.filter(({ isNodule }) => isNodule).length;
      this.#line(
        `LunaDataset: ${candidates.length} ${name} samples, ${candidates.length - positives} neg, ` +
          `${positives} pos, ${shownRatio} ratio`,
      );
    }
    const leftOut = describeLeftOut(dataset);
    if (leftOut !== undefined) {
      this.#line(`Left out: ${leftOut} (\`lunastream data check\` lists them all)`, 'WARNING');
      for (const problem of dataset.problems.slice(0, SHOWN_PROBLEMS)) this.#line(problem, 'WARNING');
    }
    if (sharedSeriesCount > 0) {
      this.#line(
        `Leak: ${sharedSeriesCount} of ${dataset.seriesCount} series are on both sides of the split; ` +
          `validation scores will be too good (--split series avoids it)`,
        'WARNING',
      );
    }
  }

  #closingLine(): string {
    const { score } = this.#parts.settings;
    return this.#bestEpoch === 0
      ? `No best epoch: ${score} was undefined in every validation`
      : `Best ${score} ${this.#bestScore?.toFixed(4)} in epoch ${this.#bestEpoch}`;
  }

  #line(text: string, level: 'INFO' | 'WARNING' = 'INFO'): void {
    this.#parts.journal.add({ kind: 'line', time: this.#parts.clock.now(), level, text });
  }
}

/** Tells where a pass stands: estimate lines, progress, and what it waits for. */
class PassProgress {
  readonly #parts: TrainingRunParts;
  readonly #pass: Pass;
  readonly #estimate: EstimateLines;
  readonly #startMs: number;
  readonly #waitingTimer: NodeJS.Timeout;
  #doneSamples = 0;
  #lossSum = 0;
  #lastToldMs = -Infinity;
  #batchIndex = 0;

  constructor(parts: TrainingRunParts, pass: Pass) {
    this.#parts = parts;
    this.#pass = pass;
    this.#startMs = parts.clock.nowMs();
    this.#estimate = new EstimateLines({
      description: `E${pass.epoch} ${pass.split === 'trn' ? 'Training' : 'Validation '}`,
      batchCount: Math.ceil(pass.candidates.length / parts.settings.batchSize),
      skippedBatches: parts.workerCount,
    });
    this.#line('WARNING', this.#estimate.start(parts.clock.now()));
    this.#tell(undefined);
    this.#waitingTimer = setInterval(() => {
      const waitingFor = parts.samples.waitingFor();
      if (waitingFor !== undefined) this.#tell(waitingFor);
    }, WAITING_INTERVAL_MS);
  }

  afterBatch({ batch }: LoadedBatch, { losses }: BatchResult): void {
    this.#doneSamples += batch.count;
    for (const loss of losses) this.#lossSum += loss;
    const line = this.#estimate.afterBatch(this.#batchIndex++, this.#parts.clock.now());
    if (line !== undefined) this.#line('INFO', line);
    const isLast = this.#doneSamples === this.#pass.candidates.length;
    if (isLast || this.#parts.clock.nowMs() - this.#lastToldMs >= PROGRESS_INTERVAL_MS) this.#tell(undefined);
  }

  end(): void {
    this.#line('WARNING', this.#estimate.end(this.#parts.clock.now()));
  }

  close(): void {
    clearInterval(this.#waitingTimer);
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
        totalSamples: this.#pass.candidates.length,
        samplesPerSecond: seconds > 0 ? this.#doneSamples / seconds : 0,
        meanLoss: this.#doneSamples > 0 ? this.#lossSum / this.#doneSamples : 0,
        waitingFor,
      },
    });
  }

  #line(level: 'INFO' | 'WARNING', text: string): void {
    this.#parts.journal.add({ kind: 'line', time: this.#parts.clock.now(), level, text });
  }
}
