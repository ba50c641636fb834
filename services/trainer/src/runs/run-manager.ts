import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import type { CandidateSplit } from '@lunastream/dataset';
import type { Checkpoint, Engine, EngineSettings } from '@lunastream/engine';
import { errorText, type Logger } from '@lunastream/service-kit';
import type { Clock } from '../clock.ts';
import type { TrainingDataset } from '../dataset-client.ts';
import { RunFolderError, RunStoppedError } from '../errors.ts';
import { CLASS_NAMES } from './dataset-lines.ts';
import { RunFolder, type RunRecord } from './run-folder.ts';
import { isFinal, RunJournal, type RunEvent, type RunState, type RunStatus } from './run-journal.ts';
import { toEngineRules } from './learning-settings.ts';
import type { RunsObserver, WatchedRun } from './run-observer.ts';
import { compileRunSettings, fillLaterSettings, RunSettingsError, type RunSettings } from './run-settings.ts';
import { BatchMemory } from '../supply/batch-buffers.ts';
import type { SampleSource } from '../supply/sample-source.ts';
import type { SampleSupply } from '../supply/sample-supply.ts';
import { splitDataset } from './split-dataset.ts';
import { checkStartWeights, startFromWeights } from './start-weights.ts';
import { TensorboardLog } from './tensorboard-log.ts';
import { TrainingRun } from './training-run.ts';

/** An engine, and in one line why it was chosen. `dispose` ends it at once, whatever it is doing. */
export interface RunEngine extends Engine {
  readonly reason: string;
}

/** The run in work, and how to end it. */
interface ActiveRun {
  readonly folder: RunFolder;
  readonly journal: RunJournal;
  readonly stop: AbortController;
  /** Resolves when the final state is written. */
  readonly ended: Promise<void>;
}

/** What a run in work goes on with. */
interface ExecutionParts {
  readonly folder: RunFolder;
  readonly journal: RunJournal;
  readonly engine: RunEngine;
  readonly observer: WatchedRun;
}

/** What runs are made from. */
export interface RunManagerParts {
  readonly runsFolder: string;
  readonly readDataset: SampleSupply['readDataset'];
  readonly samples: SampleSource;
  /** Rejects with an EngineStartError. */
  readonly startEngine: (settings: EngineSettings) => Promise<RunEngine>;
  /** Augmentation workers known now. */
  readonly workerCount: () => number;
  /** Most bytes of samples ahead of the engine. */
  readonly sampleBufferBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Watches every run. */
  readonly observer: RunsObserver;
}

/** Another run is active; a trainer works on one at a time. */
export class TrainerBusyError extends Error {
  readonly tag = 'TrainerBusyError';

  constructor(runId: string) {
    super(`Cannot start a run: this trainer is busy with ${runId}; stop it or wait for its end`);
  }
}

const NO_WEIGHTS = new Uint8Array();

/** A run as it stands. */
export interface RunView {
  readonly record: RunRecord;
  readonly folderPath: string;
  readonly status: RunStatus;
  readonly epochs: Awaited<ReturnType<RunFolder['readEpochs']>>;
}

/** Starts, watches, stops and lists runs; one is active at a time. */
export class RunManager {
  readonly #parts: RunManagerParts;
  readonly #batchMemory = new BatchMemory();
  #active: ActiveRun | undefined;
  #starting = false;

  constructor(parts: RunManagerParts) {
    this.#parts = parts;
  }

  /**
   * Starts a run and returns once it trains. `weightsFile` are the weights that `requested.initialWeights` speaks of; a resumed
   * run has its own.
   * @throws RunSettingsError, TrainerBusyError, or what the data set, the split and the engine refuse.
   */
  async start(
    requested: RunSettings,
    resumeRunId: string,
    weightsFile: Uint8Array = NO_WEIGHTS,
  ): Promise<{ runId: string; path: string }> {
    const active = this.#active;
    if (this.#starting || active?.journal.isEnded === false) {
      throw new TrainerBusyError(active?.folder.runId ?? 'a run that is starting');
    }
    this.#starting = true;
    try {
      // Its end is told before its last lines are on disk: who starts the next run at once waits for them.
      await active?.ended;
      const { runId, path } = await this.#launch(requested, { resumeRunId, weightsFile });
      return { runId, path };
    } finally {
      this.#starting = false;
    }
  }

  /** Everything that happens to the run `runId`, from its start to its end. */
  async *watch(runId: string, signal: AbortSignal): AsyncGenerator<RunEvent, void, undefined> {
    if (this.#active?.folder.runId === runId) {
      yield* this.#active.journal.watch(signal);
      return;
    }
    const { epochs, status } = await this.get(runId);
    const folder = await RunFolder.open(this.#parts.runsFolder, runId);
    for (const line of await folder.readLog()) yield { kind: 'line', ...line };
    for (const record of epochs) yield { kind: 'scores', record };
    yield { kind: 'status', status };
  }

  /** Stops the run `runId` and waits for its end; a run that has ended stays as it is. */
  async stop(runId: string): Promise<RunState> {
    const active = this.#active;
    if (active?.folder.runId === runId) {
      active.stop.abort(new RunStoppedError());
      await active.ended;
    }
    return (await this.get(runId)).status.state;
  }

  /** Stops whatever runs. */
  async stopActive(): Promise<void> {
    if (this.#active !== undefined) await this.stop(this.#active.folder.runId);
  }

  /** @throws RunFolderError when there is no such run. */
  async get(runId: string): Promise<RunView> {
    const folder = await RunFolder.open(this.#parts.runsFolder, runId);
    const record = await folder.readRecord();
    const status = await folder.readStatus();
    const interrupted = !isFinal(status.state) && this.#active?.folder.runId !== runId;
    return {
      record,
      folderPath: folder.path,
      status: interrupted
        ? { ...status, state: 'failed', message: 'the trainer ended during the run' }
        : status,
      epochs: await folder.readEpochs(),
    };
  }

  /** Runs below `tbPrefix` (all when empty), newest first. Folders that hold no run are passed over. */
  async list(tbPrefix: string, limit: number): Promise<RunView[]> {
    const views: RunView[] = [];
    for (const runId of await RunFolder.list(this.#parts.runsFolder)) {
      if (views.length === limit) break;
      if (tbPrefix !== '' && !runId.startsWith(`${tbPrefix}/`)) continue;
      try {
        views.push(await this.get(runId));
      } catch (error) {
        if (!(error instanceof RunFolderError)) throw error;
      }
    }
    return views;
  }

  /** Everything that can refuse a run comes before its folder is made: a refused run leaves nothing behind. */
  async #launch(
    requested: RunSettings,
    { resumeRunId, weightsFile }: { readonly resumeRunId: string; readonly weightsFile: Uint8Array },
  ): Promise<RunFolder> {
    const { runsFolder, readDataset } = this.#parts;
    const resumed = resumeRunId === '' ? undefined : await openResumed(runsFolder, resumeRunId);
    const settings = compileRunSettings(
      resumed === undefined
        ? requested
        : { ...fillLaterSettings(resumed.record.settings), ...pickRepeatable(requested, resumed.record) },
    );
    const stop = new AbortController();
    const dataset = await readDataset(settings.dataset, stop.signal);
    if (resumed !== undefined) assertResumable(resumed, settings, dataset);
    const split = splitDataset(dataset, settings);
    assertTensorboardSample(settings, split.validation.length);
    const startWeights = await readStartWeights(settings, weightsFile, resumed);
    const engine = await this.#parts.startEngine({
      engine: settings.engine,
      chunkShape: settings.chunkShape,
      learningRate: settings.learningRate,
      momentum: settings.momentum,
      runSeed: settings.seed,
      ...toEngineRules(settings.learning),
      ...(settings.threads === undefined ? {} : { threads: settings.threads }),
    });
    try {
      const { initialWeights } = settings;
      if (initialWeights !== undefined && startWeights !== undefined) {
        await startFromWeights(engine, startWeights, initialWeights);
      }
      const folder = await this.#prepareFolder({ settings, dataset, engine, resumed });
      if (startWeights !== undefined) await folder.writeInitialWeights(startWeights);
      const journal = new RunJournal();
      this.#parts.samples.beginRun();
      this.#tellEngine(engine, folder.runId, journal);
      stop.signal.addEventListener('abort', () => engine.dispose(), { once: true });
      const observer = this.#parts.observer.start(folder.runId);
      const run = new TrainingRun({
        ...{ ...this.#parts, batchMemory: this.#batchMemory, observer },
        workerCount: this.#parts.workerCount(),
        settings,
        dataset,
        split,
        engine,
        folder,
        journal,
        signal: stop.signal,
        resumeFrom: resumed?.checkpoint,
        tensorboard: await this.#openTensorboard({ settings, split, folder, journal, resumed }),
      });
      const ended = observer.within(() => this.#execute(run, { folder, journal, engine, observer }));
      this.#active = { folder, journal, stop, ended };
      return folder;
    } catch (error) {
      engine.dispose();
      throw error;
    }
  }

  async #openTensorboard({
    settings: { tensorboard, labels },
    split,
    folder,
    journal,
    resumed,
  }: {
    readonly settings: RunSettings;
    readonly split: CandidateSplit;
    readonly folder: RunFolder;
    readonly journal: RunJournal;
    readonly resumed: ResumedRun | undefined;
  }): Promise<TensorboardLog | undefined> {
    if (tensorboard === undefined) return undefined;
    const firstNodule = split.validation.findIndex(({ isNodule }) => isNodule);
    const { clock } = this.#parts;
    return TensorboardLog.open({
      ...{ folder, clock, hostname: hostname(), classNames: CLASS_NAMES[labels] },
      sample: tensorboard.sample ?? (firstNodule < 0 ? undefined : firstNodule),
      ...(resumed === undefined ? {} : { resumedAt: resumed.checkpoint?.metadata.samplesSeen ?? 0 }),
      warn: (text) => journal.add({ kind: 'line', time: clock.now(), level: 'WARNING', text }),
    });
  }

  /** Which engine, and why: in the run's log, on the terminals that watch it, and in the trainer's own log. */
  #tellEngine(
    { name, device, deviceMemoryBytes, reason }: RunEngine,
    runId: string,
    journal: RunJournal,
  ): void {
    const memory =
      deviceMemoryBytes === undefined ? '' : `, ${(deviceMemoryBytes / 2 ** 30).toFixed(1)} GiB`;
    const text = `Engine ${name} (${device}${memory}): ${reason}`;
    journal.add({ kind: 'line', time: this.#parts.clock.now(), level: 'INFO', text });
    this.#parts.logger.info({ runId, engine: name, device }, text);
  }

  /** The folder of the run, with what is known at its start: from then on it can be found, watched and stopped. */
  async #prepareFolder({
    settings,
    dataset,
    engine: { name, device, deviceMemoryBytes, reason },
    resumed,
  }: {
    readonly settings: RunSettings;
    readonly dataset: TrainingDataset;
    readonly engine: RunEngine;
    readonly resumed: ResumedRun | undefined;
  }): Promise<RunFolder> {
    const { runsFolder, clock } = this.#parts;
    const startedAt = clock.now();
    const folder = resumed?.folder ?? (await RunFolder.create(runsFolder, { ...settings, startedAt }));
    // Records that a run left which ended before its first checkpoint.
    if (resumed?.checkpoint === undefined) await folder.truncateEpochs(0);
    await folder.writeStatus({ state: 'starting', message: '', bestEpoch: 0, stallFraction: 0 });
    await folder.writeRecord({
      runId: folder.runId,
      startedAt: resumed?.record.startedAt ?? startedAt.toISOString(),
      settings,
      datasetFingerprint: dataset.fingerprint,
      engine: { name, device, deviceMemoryBytes, reason },
      versions: VERSIONS,
    });
    return folder;
  }

  /** Runs to the end, whatever it is, and writes the final state. Never rejects. */
  async #execute(run: TrainingRun, { folder, journal, engine, observer }: ExecutionParts): Promise<void> {
    const logged = writeLog(journal, folder, this.#parts.logger);
    const enter = async (state: RunState, message: string) => {
      const status = { state, message, bestEpoch: run.bestEpoch, stallFraction: run.stallFraction };
      this.#parts.logger.info({ runId: folder.runId, ...status }, `run ${folder.runId} ${state}`);
      try {
        await folder.writeStatus(status);
      } finally {
        journal.add({ kind: 'status', status });
      }
    };
    try {
      await enter('running', '');
      await run.run();
      await enter('finished', '');
    } catch (error) {
      const stopped = run.signal.aborted;
      if (!stopped) this.#parts.logger.error({ err: error, runId: folder.runId }, 'run failed');
      await enter(stopped ? 'stopped' : 'failed', stopped ? '' : errorText(error)).catch((cause: unknown) =>
        this.#parts.logger.error(
          { err: cause, runId: folder.runId },
          'cannot write the final state of the run',
        ),
      );
    } finally {
      observer.ended();
      engine.dispose();
      await logged;
      this.#active = undefined;
    }
  }
}

/** Settings that a resumed run may take anew: results of the epochs before do not depend on them. */
function pickRepeatable(
  { epochs, threads, checkpointBatches, tensorboard }: RunSettings,
  { settings }: RunRecord,
) {
  return { epochs, threads, checkpointBatches, tensorboard: tensorboard ?? settings.tensorboard };
}

const require = createRequire(import.meta.url);

/** What a run was made with; recorded in run.json. */
const VERSIONS = {
  lunastream: (require('@lunastream/service-trainer/package.json') as { version: string }).version,
  node: process.versions.node,
  v8: process.versions.v8,
};

/** A run that goes on from its last checkpoint. */
interface ResumedRun {
  readonly folder: RunFolder;
  readonly record: RunRecord;
  /** Undefined when the run ended before its first one: it begins anew. */
  readonly checkpoint: Checkpoint | undefined;
}

async function openResumed(runsFolder: string, runId: string): Promise<ResumedRun> {
  const folder = await RunFolder.open(runsFolder, runId);
  return { folder, record: await folder.readRecord(), checkpoint: await readLastCheckpoint(folder) };
}

async function readLastCheckpoint(folder: RunFolder): Promise<Checkpoint | undefined> {
  try {
    return await folder.readCheckpoint('last');
  } catch (error) {
    if (error instanceof RunFolderError && error.kind === 'missing') return undefined;
    throw error;
  }
}

/** The file that a run which begins starts from; undefined where its weights are drawn, or come from a checkpoint. */
async function readStartWeights(
  { initialWeights }: RunSettings,
  sent: Uint8Array,
  resumed: ResumedRun | undefined,
): Promise<Uint8Array | undefined> {
  if (resumed === undefined) return checkStartWeights(initialWeights, sent);
  if (resumed.checkpoint !== undefined || initialWeights === undefined) return undefined;
  return checkStartWeights(initialWeights, await resumed.folder.readInitialWeights());
}

function assertTensorboardSample({ tensorboard }: RunSettings, validationSamples: number): void {
  const sample = tensorboard?.sample;
  if (sample === undefined || sample < validationSamples) return;
  throw new RunSettingsError([
    `tensorboard sample must be an ordinal below the ${validationSamples} validation samples, got ${sample}`,
  ]);
}

function assertResumable(
  { record, checkpoint }: ResumedRun,
  settings: RunSettings,
  dataset: TrainingDataset,
): void {
  const { runId, datasetFingerprint } = record;
  const doneEpochs = checkpoint?.metadata.epoch ?? 0;
  if (settings.epochs <= doneEpochs) {
    throw new RunSettingsError([
      `epochs must be above the ${doneEpochs} that run ${runId} has done, got ${settings.epochs}`,
    ]);
  }
  if (datasetFingerprint !== dataset.fingerprint) {
    throw new RunFolderError(
      'damaged',
      `Cannot resume run ${runId}: data set ${settings.dataset} must have fingerprint ` +
        `${datasetFingerprint}, got ${dataset.fingerprint}`,
    );
  }
}

/** Writes the journal's lines to log.txt until the run ends. A disk that is full must not end the run. */
async function writeLog(journal: RunJournal, folder: RunFolder, logger: Logger): Promise<void> {
  for await (const event of journal.watch(new AbortController().signal)) {
    if (event.kind !== 'line') continue;
    await folder
      .appendLog(event)
      .catch((error: unknown) => logger.error({ err: error }, 'cannot write a line of the run log'));
  }
}
