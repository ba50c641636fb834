import { NO_AUGMENTATION } from '@lunastream/augmentation';
import { epochPlan, formatPredictions, type Candidate, type CandidateSplit } from '@lunastream/dataset';
import {
  learningRateAt,
  type BatchResult,
  type Checkpoint,
  type Engine,
  type EpochProgress,
} from '@lunastream/engine';
import {
  epochLogLines,
  epochStartLine,
  epochWarnings,
  overfittingWarning,
  scoreOf,
  summarizeEpoch,
  taskStartLine,
  toEpochRecord,
  type EpochRecord,
} from '@lunastream/metrics';
import { voxelCount } from '@lunastream/volume';
import { BatchBuffers, type BatchMemory } from '../supply/batch-buffers.ts';
import { BatchLoader, type LoadedBatch } from '../supply/batch-loader.ts';
import { batchSteps } from './batch-steps.ts';
import { BestEpoch } from './best-epoch.ts';
import type { Clock } from '../clock.ts';
import type { TrainingDataset } from '../dataset-client.ts';
import { CLASS_NAMES, datasetLines } from './dataset-lines.ts';
import { mixSamplesOfEpoch } from '../supply/mixed-samples.ts';
import { PassProgress } from './pass-progress.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunJournal } from './run-journal.ts';
import type { PassObserver, RunObserver } from './run-observer.ts';
import type { RunSettings } from './run-settings.ts';
import type { PassScores, TensorboardLog } from './tensorboard-log.ts';
import type { SamplePlan, SampleSource, SampleStream } from '../supply/sample-source.ts';

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
  /** Most bytes of samples ahead of the engine. */
  readonly sampleBufferBytes: number;
  /** What batches are made of. */
  readonly batchMemory: BatchMemory;
  /** Shown what every epoch gave. */
  readonly tensorboard?: TensorboardLog | undefined;
  /** Watches the run; it must not change it. */
  readonly observer: RunObserver;
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
  /** What a checkpoint within the pass holds of it. */
  readonly doneBefore?: EpochProgress | undefined;
}

/** A pass whose samples are on their way. */
interface OpenPass {
  readonly pass: Pass;
  readonly stream: SampleStream;
  readonly loader: BatchLoader;
  readonly observer: PassObserver;
}

function closePass({ loader, stream, observer }: OpenPass, reason: Error): void {
  loader.close(reason);
  observer.close(stream.borderFraction());
}

/** What a pass left behind: its scores, and what they were computed from, by ordinal. */
interface PassResult extends PassScores {
  readonly losses: Float32Array;
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
  readonly #buffers: BatchBuffers;
  readonly #best: BestEpoch;
  /** The pass in work, then those whose samples are already on their way. */
  readonly #opened: OpenPass[] = [];
  #passes: Generator<Pass, void, undefined> | undefined;
  #samplesSeen = 0;
  #stallMs = 0;
  #busyMs = 0;

  constructor(parts: TrainingRunParts) {
    this.#parts = parts;
    this.#training = parts.split.training;
    this.#validation = parts.split.validation;
    this.#best = new BestEpoch(parts.settings.score);
    const { batchSize, chunkShape } = parts.settings;
    const batchLength = batchSize * voxelCount(chunkShape);
    this.#buffers = new BatchBuffers(batchLength, parts.sampleBufferBytes, parts.batchMemory);
    for (const { text, level } of datasetLines(parts)) this.#line(text, level);
  }

  /** Aborts when the run is to stop. */
  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  /** Epoch of the best checkpoint so far; 0 while there is none. */
  get bestEpoch(): number {
    return this.#best.epoch;
  }

  /** Share of the time in passes that the engine spent waiting for samples, 0..1. */
  get stallFraction(): number {
    return this.#busyMs === 0 ? 0 : this.#stallMs / this.#busyMs;
  }

  /** Runs every epoch that is left. Rejects with the signal's reason when stopped. */
  async run(): Promise<RunOutcome> {
    const { settings, signal } = this.#parts;
    const firstEpoch = (await this.#resume()) + 1;
    this.#passes = this.#planPasses(firstEpoch);
    const closePasses = () => {
      for (const opened of this.#opened.splice(0)) closePass(opened, signal.reason as Error);
    };
    signal.addEventListener('abort', closePasses, { once: true });
    try {
      signal.throwIfAborted();
      this.#openNextPass();
      for (let epoch = firstEpoch; epoch <= settings.epochs; epoch++) {
        this.#logEpochStart(epoch, this.#opened[0]!.pass.candidates.length);
        const trained = await this.#runNextPass();
        this.#samplesSeen += trained.losses.length;
        const validated = this.#isValidated(epoch) ? await this.#runNextPass() : undefined;
        await this.#finishEpoch(trained, validated);
        signal.throwIfAborted();
        if (this.#stopsEarly(epoch)) break;
      }
    } finally {
      signal.removeEventListener('abort', closePasses);
      for (const opened of this.#opened) closePass(opened, new Error('the run ended'));
      this.#buffers.close();
    }
    this.#line(this.#best.sentence());
    return { bestEpoch: this.#best.epoch, stallFraction: this.stallFraction };
  }

  /** Every pass that is left, in order, each planned when it is wanted. */
  *#planPasses(firstEpoch: number): Generator<Pass, void, undefined> {
    const { settings, resumeFrom } = this.#parts;
    for (let epoch = firstEpoch; epoch <= settings.epochs; epoch++) {
      const doneBefore = epoch === firstEpoch ? resumeFrom?.progress : undefined;
      yield { epoch, split: 'trn', candidates: this.#planTraining(epoch), doneBefore };
      if (this.#isValidated(epoch)) yield { epoch, split: 'val', candidates: this.#validation };
    }
  }

  /** Opens the samples of the pass after the last one that is open, where there is one: workers never pause in between. */
  #openNextPass(): void {
    if (this.#parts.signal.aborted) return;
    const next = this.#passes?.next();
    if (next === undefined || next.done === true) return;
    const { settings, samples, clock } = this.#parts;
    const { samples: planned, labels } = this.#planSamples(next.value);
    const observer = this.#parts.observer.openPass({ ...next.value, batchSize: settings.batchSize });
    const stream = samples.open(this.#samplePlanOf(next.value, planned), {
      warn: (sentence) => this.#line(sentence, 'WARNING'),
      ask: (firstOrdinal, ask) => observer.ask(firstOrdinal, ask),
    });
    const loader = new BatchLoader({
      stream,
      labels,
      batchSize: settings.batchSize,
      chunkShape: settings.chunkShape,
      buffers: this.#buffers,
      firstOrdinal: next.value.doneBefore?.probabilities.length ?? 0,
      onAllAsked: () => this.#openNextPass(),
      nowMs: () => clock.nowMs(),
    });
    this.#opened.push({ pass: next.value, stream, loader, observer });
  }

  #logEpochStart(epoch: number, trainingSamples: number): void {
    const { epochs, batchSize } = this.#parts.settings;
    this.#line(
      epochStartLine({
        epoch,
        epochs,
        trainingBatches: Math.ceil(trainingSamples / batchSize),
        validationBatches: this.#isValidated(epoch) ? Math.ceil(this.#validation.length / batchSize) : 0,
        batchSize,
        devices: 1,
      }),
    );
  }

  /** The first epoch, every one that the cadence says, and the last, so that no run ends unknown. */
  #isValidated(epoch: number): boolean {
    const { validationCadence, epochs } = this.#parts.settings;
    return epoch === 1 || epoch === epochs || epoch % validationCadence === 0;
  }

  /** Whether the run ends after `epoch`, although others are left. */
  #stopsEarly(epoch: number): boolean {
    const { earlyStop, epochs, score } = this.#parts.settings;
    if (earlyStop === 0 || epoch === epochs || this.#best.validationsSince < earlyStop) return false;
    this.#line(
      `Stopped early after epoch ${epoch} of ${epochs}: ${score} was not better in ${earlyStop} validations`,
    );
    return true;
  }

  /** The candidates that an epoch trains on, by ordinal. */
  #planTraining(epoch: number): Candidate[] {
    const { settings } = this.#parts;
    const plan = epochPlan({ ...settings, candidates: this.#training, runSeed: settings.seed, epoch });
    return Array.from(plan, (index) => this.#training[index]!);
  }

  /** Puts model and counters where the checkpoint left them; returns the epochs that are done. */
  async #resume(): Promise<number> {
    const { resumeFrom, engine, folder, settings, journal } = this.#parts;
    if (resumeFrom === undefined) return 0;
    await engine.importState(resumeFrom.state);
    const { epoch, samplesSeen } = resumeFrom.metadata;
    const doneInEpoch = resumeFrom.progress?.losses.length ?? 0;
    this.#samplesSeen = samplesSeen - doneInEpoch;
    await folder.truncateEpochs(epoch);
    for (const record of await folder.readEpochs()) {
      journal.add({ kind: 'scores', record });
      if (record.split === 'val') this.#best.note(record.epoch, scoreOf(record, settings.score));
    }
    const place = doneInEpoch === 0 ? '' : `, in epoch ${epoch + 1} after ${doneInEpoch} samples`;
    this.#line(`Resumed after epoch ${epoch} of ${settings.epochs}${place}, ${samplesSeen} samples seen`);
    return epoch;
  }

  async #runNextPass(): Promise<PassResult> {
    const { clock } = this.#parts;
    const opened = this.#opened[0]!;
    const { epoch, split, candidates, doneBefore } = opened.pass;
    const probabilities = new Float32Array(candidates.length);
    const losses = new Float32Array(candidates.length);
    probabilities.set(doneBefore?.probabilities ?? []);
    losses.set(doneBefore?.losses ?? []);
    const progress = this.#startProgress(opened.pass);
    const passStartMs = clock.nowMs();
    try {
      const steps = batchSteps({
        batches: opened.loader.batches(),
        start: (batch) => opened.observer.step(batch, () => this.#compute(opened.pass, batch)),
        isLookedAtAfter: (batch) => split === 'trn' && this.#isCheckpointDue(batch, candidates.length),
        nowMs: () => clock.nowMs(),
      });
      for await (const { batch, firstOrdinal, stallMs, result } of steps) {
        probabilities.set(result.probabilities, firstOrdinal);
        losses.set(result.losses, firstOrdinal);
        this.#stallMs += stallMs;
        progress.afterBatch(batch, result);
        if (split === 'trn' && this.#isCheckpointDue({ batch, firstOrdinal }, candidates.length)) {
          const done = firstOrdinal + batch.count;
          await this.#writeProgress(epoch, {
            probabilities: probabilities.subarray(0, done),
            losses: losses.subarray(0, done),
          });
        }
      }
    } finally {
      opened.loader.close(new Error('no more batches are wanted'));
      progress.close();
      opened.observer.close(opened.stream.borderFraction());
      this.#busyMs += clock.nowMs() - passStartMs;
    }
    this.#opened.shift();
    progress.end();
    if (split === 'trn') this.#logBorder(epoch, opened.stream.borderFraction());
    const labels = hardLabels(candidates);
    const { threshold } = this.#parts.settings;
    const summary = summarizeEpoch({ epoch, split, labels, probabilities, losses, threshold });
    return { summary, labels, probabilities, losses };
  }

  #startProgress({ epoch, split, candidates, doneBefore }: Pass): PassProgress {
    const { settings, workerCount } = this.#parts;
    const lossesBefore = doneBefore?.losses ?? new Float32Array(0);
    return new PassProgress(this.#parts, {
      epoch,
      split,
      sampleCount: candidates.length,
      batchSize: settings.batchSize,
      doneBefore: {
        samples: lossesBefore.length,
        lossSum: lossesBefore.reduce((sum, loss) => sum + loss, 0),
      },
      workerCount,
    });
  }

  #samplePlanOf({ epoch, split }: Pass, samples: SamplePlan['samples']): SamplePlan {
    const { settings, dataset } = this.#parts;
    const isTraining = split === 'trn';
    return {
      dataset: dataset.name,
      datasetFingerprint: dataset.fingerprint,
      runSeed: settings.seed,
      epoch,
      chunkShape: settings.chunkShape,
      augmentation: isTraining ? settings.augmentation : NO_AUGMENTATION,
      margin: isTraining && settings.margin,
      voxelType: settings.voxelType,
      border: settings.border,
      samples,
    };
  }

  /** Whether a checkpoint within the epoch follows the batch. */
  #isCheckpointDue(
    { batch, firstOrdinal }: Pick<LoadedBatch, 'batch' | 'firstOrdinal'>,
    sampleCount: number,
  ): boolean {
    const { checkpointBatches, batchSize } = this.#parts.settings;
    if (checkpointBatches === 0) return false;
    const done = firstOrdinal + batch.count;
    return done === sampleCount || (done / batchSize) % checkpointBatches === 0;
  }

  async #writeProgress(epoch: number, progress: EpochProgress): Promise<void> {
    const samplesSeen = this.#samplesSeen + progress.losses.length;
    await this.#parts.folder.writeCheckpoint('last', {
      ...(await this.#checkpoint(epoch - 1, samplesSeen)),
      progress,
    });
  }

  async #checkpoint(epoch: number, samplesSeen: number): Promise<Checkpoint> {
    const { engine, settings } = this.#parts;
    return {
      state: await engine.exportState(),
      metadata: {
        epoch,
        samplesSeen,
        runSeed: settings.seed,
        settings: JSON.parse(JSON.stringify(settings)) as Checkpoint['metadata']['settings'],
      },
    };
  }

  /** What is leased for a pass, and the labels to learn: soft ones where nodules are mixed. */
  #planSamples({ epoch, split, candidates }: Pass) {
    const { augmentation, seed } = this.#parts.settings;
    if (split === 'val' || augmentation.mixupAlpha === 0) {
      return { samples: candidates, labels: hardLabels(candidates) };
    }
    return mixSamplesOfEpoch(candidates, { runSeed: seed, epoch }, augmentation);
  }

  #logBorder(epoch: number, fraction: number): void {
    if (fraction === 0) return;
    const percent = (100 * fraction).toFixed(1);
    this.#line(
      `E${epoch} trn      ${percent}% of voxels repeat the border of their chunk (--margin avoids it)`,
    );
  }

  async #compute({ epoch, split, candidates }: Pass, loaded: LoadedBatch): Promise<BatchResult> {
    const { engine, signal, settings, tensorboard } = this.#parts;
    const { batch, firstOrdinal } = loaded;
    tensorboard?.keepSample(split, loaded);
    const learningRate = learningRateAt(settings.learningRate, settings.learning.schedule, {
      ...{ epoch, epochs: settings.epochs, step: firstOrdinal / settings.batchSize },
      stepsPerEpoch: Math.ceil(candidates.length / settings.batchSize),
    });
    const result = await (split === 'trn'
      ? engine.trainBatch(batch, learningRate)
      : engine.evaluateBatch(batch));
    signal.throwIfAborted();
    return result;
  }

  /** Records go first: a crash between them and the checkpoint is mended by truncateEpochs when resuming. */
  async #finishEpoch(trained: PassResult, validated: PassResult | undefined): Promise<void> {
    const { settings, folder, journal, tensorboard, engine, observer } = this.#parts;
    const { epoch } = trained.summary;
    const records: EpochRecord[] = [];
    for (const { summary } of validated === undefined ? [trained] : [trained, validated]) {
      this.#line(taskStartLine(summary.epoch));
      for (const line of epochLogLines(summary, CLASS_NAMES[this.#parts.settings.labels])) this.#line(line);
      for (const warning of epochWarnings(summary)) this.#line(warning, 'WARNING');
      records.push(toEpochRecord(summary, this.#samplesSeen));
    }
    await folder.appendEpochs(records);
    const overfitting = overfittingWarning(await folder.readEpochs());
    if (overfitting !== undefined) this.#line(overfitting, 'WARNING');
    const checkpoint = await this.#checkpoint(epoch, this.#samplesSeen);
    if (validated !== undefined) {
      const predictions = formatPredictions(this.#validation, validated);
      await folder.writePredictions('last', predictions);
      if (this.#best.note(epoch, scoreOf(validated.summary, settings.score))) {
        await folder.writePredictions('best', predictions);
        await folder.writeCheckpoint('best', checkpoint);
      }
    }
    await folder.writeCheckpoint('last', checkpoint);
    await tensorboard?.writeEpoch({ step: this.#samplesSeen, trained, validated, engine });
    for (const record of records) journal.add({ kind: 'scores', record });
    await observer.epochDone({
      trained: trained.summary,
      validated: validated?.summary,
      bestEpoch: this.#best.epoch,
      engine: {
        device: engine.device,
        memoryBytes: await engine.memoryBytes(),
        deviceMemoryBytes: engine.deviceMemoryBytes,
      },
      isOverfitting: overfitting !== undefined,
    });
  }

  #line(text: string, level: 'INFO' | 'WARNING' = 'INFO'): void {
    this.#parts.journal.add({ kind: 'line', time: this.#parts.clock.now(), level, text });
  }
}
