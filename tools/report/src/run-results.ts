import { readPredictions, type Prediction } from '@lunastream/dataset';
import type { EpochRecord } from '@lunastream/metrics';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ReportError } from './errors.ts';

const recordSchema = z.object({
  runId: z.string(),
  startedAt: z.string(),
  settings: z.record(z.string(), z.unknown()),
  datasetFingerprint: z.string(),
  engine: z.record(z.string(), z.unknown()),
  versions: z.record(z.string(), z.string()),
});

/** What a run left behind. */
export interface RunResults {
  readonly folder: string;
  /** run.json. */
  readonly record: z.infer<typeof recordSchema>;
  /** epochs.jsonl, whole lines. */
  readonly epochs: readonly EpochRecord[];
  /** Predictions of the best epoch, else of the last one; empty where the run kept none. */
  readonly predictions: readonly Prediction[];
  readonly predictionsOf: 'best' | 'last' | undefined;
  /** Why it did not end well, or empty. */
  readonly message: string;
}

/**
 * Reads a run's folder.
 * @throws ReportError naming the file that is missing or damaged, BadCsvError for damaged predictions.
 */
export async function readRunResults(folder: string): Promise<RunResults> {
  const record = recordSchema.safeParse(await readJson(join(folder, 'run.json')));
  if (!record.success) {
    const [issue] = record.error.issues;
    throw new ReportError(`${join(folder, 'run.json')}: ${issue!.path.join('.')}: ${issue!.message}`);
  }
  const status = (await readJson(join(folder, 'status.json'))) as { message?: unknown };
  const predictionsOf = await whichPredictions(folder);
  return {
    folder,
    record: record.data,
    epochs: await readEpochs(join(folder, 'epochs.jsonl')),
    predictionsOf,
    predictions:
      predictionsOf === undefined
        ? []
        : await readPredictions(join(folder, 'predictions', `${predictionsOf}.csv`)),
    message: typeof status.message === 'string' ? status.message : '',
  };
}

async function whichPredictions(folder: string): Promise<RunResults['predictionsOf']> {
  for (const name of ['best', 'last'] as const) {
    const file = await stat(join(folder, 'predictions', `${name}.csv`)).catch(() => undefined);
    if (file !== undefined) return name;
  }
  return undefined;
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ReportError(`there must be a file ${path}`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ReportError(`${path} must be JSON`, { cause });
  }
}

/** A line that a crash cut short is left out. */
async function readEpochs(path: string): Promise<EpochRecord[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, index) => {
      try {
        return JSON.parse(line) as EpochRecord;
      } catch (cause) {
        throw new ReportError(`${path}:${index + 1} must be JSON`, { cause });
      }
    });
}
