import { appendFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from '@lunastream/engine';
import type { EpochRecord } from '@lunastream/metrics';
import { BORDER_RULES } from '@lunastream/volume';
import { RunFolderError } from '../errors.ts';
import { formatDateTime } from './estimate-lines.ts';
import type { RunStatus } from './run-journal.ts';
import type { RunSettings } from './run-settings.ts';

/** Contents of run.json: what is needed to understand or repeat a run. */
export interface RunRecord {
  readonly runId: string;
  readonly startedAt: string;
  readonly settings: RunSettings;
  readonly datasetFingerprint: string;
  readonly engine: {
    readonly name: string;
    readonly device: string;
    /** Of a GPU, where its driver tells. */
    readonly deviceMemoryBytes?: number | undefined;
    readonly reason: string;
  };
  readonly versions: Readonly<Record<string, string>>;
}

/** A line of a run's log. */
export interface RunLogLine {
  readonly time: Date;
  readonly level: 'INFO' | 'WARNING';
  readonly text: string;
}

/** Which checkpoint of a run. */
export type CheckpointName = 'last' | 'best';

const INITIAL_WEIGHTS = 'checkpoints/initial.safetensors';
const LEVEL_WIDTH = 8;
const LOG_LINE = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) (INFO|WARNING) +(.*)$/;

/**
 * What a run leaves on disk:
 *
 *   <runs>/<prefix>/<time>-<comment>/
 *     run.json           settings, seed, versions, data set fingerprint, engine
 *     status.json        state, best epoch
 *     epochs.jsonl       a line per epoch and split
 *     log.txt            the run's log lines, local time
 *     checkpoints/       last.safetensors, best.safetensors; initial.safetensors where the run started from given weights
 *     predictions/       last.csv, best.csv: P(nodule) and loss of every validation candidate
 *
 * Files that are replaced are written beside and renamed, so a killed process leaves the old or the new one whole.
 */
export class RunFolder {
  readonly runId: string;
  readonly path: string;

  private constructor(runsFolder: string, runId: string) {
    this.runId = runId;
    this.path = resolve(runsFolder, runId);
  }

  /** Makes the folder of a new run; where the name is taken (two runs in a second) a number is added. */
  static async create(
    runsFolder: string,
    { tbPrefix, comment, startedAt }: { tbPrefix: string; comment: string; startedAt: Date },
  ): Promise<RunFolder> {
    const name = `${formatRunTime(startedAt)}-${comment}`;
    await mkdir(join(runsFolder, tbPrefix), { recursive: true });
    for (let copy = 1; ; copy++) {
      const folder = new RunFolder(runsFolder, `${tbPrefix}/${copy === 1 ? name : `${name}-${copy}`}`);
      try {
        await mkdir(folder.path);
        await mkdir(join(folder.path, 'checkpoints'));
        return folder;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /**
   * The folder of an existing run.
   * @throws RunFolderError when `runId` is not of the form "<prefix>/<name>" or there is no such run.
   */
  static async open(runsFolder: string, runId: string): Promise<RunFolder> {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*\/[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(runId)) {
      throw new RunFolderError(
        'missing',
        `Cannot find run '${runId}': a run is named <prefix>/<time>-<comment>`,
      );
    }
    const folder = new RunFolder(runsFolder, runId);
    await folder.readRecord();
    return folder;
  }

  /** Ids of every run below `runsFolder`, newest name first. */
  static async list(runsFolder: string): Promise<string[]> {
    const runIds: string[] = [];
    for (const prefix of await readFolders(runsFolder)) {
      for (const name of await readFolders(join(runsFolder, prefix))) runIds.push(`${prefix}/${name}`);
    }
    const nameOf = (runId: string) => runId.slice(runId.indexOf('/') + 1);
    // Equal names below two prefixes come in the prefixes' order.
    return runIds.sort((a, b) => Number(nameOf(a) < nameOf(b)) - Number(nameOf(a) > nameOf(b)));
  }

  writeRecord(record: RunRecord): Promise<void> {
    return this.#replace('run.json', `${JSON.stringify(record, null, 2)}\n`);
  }

  async readRecord(): Promise<RunRecord> {
    const record = await this.#readJson<RunRecord>('run.json');
    // Records of earlier versions say no border rule: there was one.
    return { ...record, settings: Object.assign({ border: BORDER_RULES[0] }, record.settings) };
  }

  writeStatus(status: RunStatus): Promise<void> {
    return this.#replace('status.json', `${JSON.stringify(status, null, 2)}\n`);
  }

  readStatus(): Promise<RunStatus> {
    return this.#readJson<RunStatus>('status.json');
  }

  /** Adds the records of one epoch. */
  async appendEpochs(records: readonly EpochRecord[]): Promise<void> {
    await appendFile(
      join(this.path, 'epochs.jsonl'),
      records.map((record) => `${JSON.stringify(record)}\n`).join(''),
    );
  }

  /** Drops records of epochs after `epoch`: they were written before a crash kept their checkpoint from being. */
  async truncateEpochs(epoch: number): Promise<void> {
    const kept = (await this.readEpochs()).filter((record) => record.epoch <= epoch);
    await this.#replace('epochs.jsonl', kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }

  /**
   * Records so far; a last line that a crash cut short is left out.
   * @throws RunFolderError when another line is damaged.
   */
  async readEpochs(): Promise<EpochRecord[]> {
    return (await this.#readLines('epochs.jsonl')).map((text, index) => {
      try {
        return JSON.parse(text) as EpochRecord;
      } catch (cause) {
        const place = `${join(this.path, 'epochs.jsonl')}:${index + 1}`;
        throw new RunFolderError('damaged', `Cannot read run '${this.runId}': ${place} is not JSON`, {
          cause,
        });
      }
    });
  }

  /** Adds a line as the chapter's program prints it: "2026-11-23 09:05:13,042 INFO     E1 LunaTrainingApp". */
  async appendLog({ time, level, text }: RunLogLine): Promise<void> {
    const milliseconds = String(time.getMilliseconds()).padStart(3, '0');
    const line = `${formatDateTime(time)},${milliseconds} ${level.padEnd(LEVEL_WIDTH)} ${text}`;
    await appendFile(join(this.path, 'log.txt'), `${line}\n`);
  }

  /** The log so far; lines of another form, or cut short by a crash, are left out. */
  async readLog(): Promise<RunLogLine[]> {
    return (await this.#readLines('log.txt')).flatMap((line) => {
      const [, time, milliseconds, level, text] = LOG_LINE.exec(line) ?? [];
      if (time === undefined || text === undefined) return [];
      return [{ time: new Date(`${time}.${milliseconds}`), level: level as RunLogLine['level'], text }];
    });
  }

  /** Writes the table of `formatPredictions` that belongs to a checkpoint. */
  async writePredictions(name: CheckpointName, table: string): Promise<void> {
    // A run that was made before there were predictions has no folder for them.
    await mkdir(join(this.path, 'predictions'), { recursive: true });
    await this.#replace(`predictions/${name}.csv`, table);
  }

  writeCheckpoint(name: CheckpointName, checkpoint: Checkpoint): Promise<void> {
    return this.#replace(`checkpoints/${name}.safetensors`, encodeCheckpoint(checkpoint));
  }

  /** Keeps the file of the weights that the run starts from. */
  writeInitialWeights(file: Uint8Array): Promise<void> {
    return this.#replace(INITIAL_WEIGHTS, file);
  }

  /** @throws RunFolderError when there is none. */
  readInitialWeights(): Promise<Uint8Array> {
    return this.#readWhole(join(this.path, INITIAL_WEIGHTS));
  }

  /** @throws RunFolderError when there is none or it is damaged. */
  async readCheckpoint(name: CheckpointName): Promise<Checkpoint> {
    const path = join(this.path, 'checkpoints', `${name}.safetensors`);
    const bytes = await this.#readWhole(path);
    try {
      return decodeCheckpoint(bytes);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RunFolderError('damaged', `Cannot resume run ${this.runId}: ${path}: ${reason}`, { cause });
    }
  }

  #readWhole(path: string): Promise<Uint8Array> {
    return readFile(path).catch((cause: unknown) => {
      throw new RunFolderError('missing', `Cannot resume run ${this.runId}: it has no checkpoint ${path}`, {
        cause,
      });
    });
  }

  async #replace(name: string, contents: string | Uint8Array): Promise<void> {
    const path = join(this.path, name);
    await writeFile(`${path}.new`, contents);
    await rename(`${path}.new`, path);
  }

  /** Whole lines of a file that grows; none while it does not exist. */
  async #readLines(name: string): Promise<string[]> {
    const text = await readFile(join(this.path, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return text.split('\n').slice(0, -1);
  }

  async #readJson<Value>(name: string): Promise<Value> {
    const path = join(this.path, name);
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new RunFolderError('missing', `Cannot find run '${this.runId}': there is no ${path}`, { cause });
    });
    try {
      return JSON.parse(text) as Value;
    } catch (cause) {
      throw new RunFolderError('damaged', `Cannot read run '${this.runId}': ${path} is not JSON`, { cause });
    }
  }
}

async function readFolders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** "2026-11-23_09.05.13", local time, as the chapter names its runs. */
export function formatRunTime(date: Date): string {
  return formatDateTime(date).replace(' ', '_').replaceAll(':', '.');
}
