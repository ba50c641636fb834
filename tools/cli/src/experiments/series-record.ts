import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../errors.ts';

const runSchema = z.object({
  variant: z.string(),
  seed: z.int().nonnegative(),
  /** Flags of `train` that make this run, for people and for the next call. */
  flags: z.array(z.string()),
  /** Settings as they were sent, but for the threads: a run is reused only when they are equal. */
  settings: z.record(z.string(), z.unknown()),
  /** Below the runs folder; empty until it was started. */
  runId: z.string(),
  state: z.enum(['waiting', 'running', 'finished', 'stopped', 'failed']),
  /** Why it failed. */
  message: z.string(),
});
const recordSchema = z.object({
  series: z.string(),
  /** Of the data that all of its runs train on. */
  datasetFingerprint: z.string().optional(),
  runs: z.array(runSchema),
});

/** One run of a series. */
export type SeriesRun = z.infer<typeof runSchema>;
/** What a series has to do and how far it is: experiment.json in its folder. */
export type SeriesRecord = z.infer<typeof recordSchema>;

const FILE = 'experiment.json';

/** The record in `folder`, or undefined where there is none. @throws CommandError when it is damaged. */
export async function readSeriesRecord(folder: string): Promise<SeriesRecord | undefined> {
  const path = join(folder, FILE);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CommandError(`Cannot go on with ${path}: it must be the record of a series`, undefined, {
      cause,
    });
  }
}

/** Replaces the record whole: a killed process leaves the old or the new one. */
export async function writeSeriesRecord(folder: string, record: SeriesRecord): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/**
 * The plan with what an earlier call did: runs that have finished stay so, others are taken up where they stopped.
 * @throws CommandError when a run of the same name has other settings, or all of them had other data: results would be mixed.
 */
export function continueSeries(planned: SeriesRecord, earlier: SeriesRecord | undefined): SeriesRecord {
  if (earlier === undefined) return planned;
  if (earlier.datasetFingerprint !== planned.datasetFingerprint) {
    throw new CommandError(
      'Cannot go on with this series: it must have the data set of before ' +
        `(fingerprint ${earlier.datasetFingerprint ?? 'not known'}), got ${planned.datasetFingerprint ?? 'none'}; ` +
        'give the series a --name of its own',
    );
  }
  const keyOf = ({ variant, seed }: SeriesRun) => `${variant}, seed ${seed}`;
  const before = new Map(earlier.runs.map((run) => [keyOf(run), run]));
  const runs = planned.runs.map((run) => {
    const known = before.get(keyOf(run));
    if (known === undefined) return run;
    assertSameSettings(known, run.settings);
    before.delete(keyOf(run));
    return {
      ...run,
      runId: known.runId,
      state: known.state === 'finished' ? known.state : ('waiting' as const),
    };
  });
  // More seeds or variants were asked for before: their results stay. Other seeds are averaged with those of today.
  for (const known of before.values()) {
    const ofToday = planned.runs.find(({ variant }) => variant === known.variant);
    if (ofToday !== undefined) assertSameSettings(known, { ...ofToday.settings, ...ownSettings(known) });
  }
  return { ...planned, runs: [...runs, ...before.values()] };
}

/** What the seed decides. */
function ownSettings({ settings: { seed, comment } }: SeriesRun): Record<string, unknown> {
  return { seed, comment };
}

function assertSameSettings({ variant, seed, settings }: SeriesRun, planned: SeriesRun['settings']): void {
  const difference = firstDifference(settings, planned);
  if (difference === undefined) return;
  throw new CommandError(
    `Cannot go on with this series: ${variant}, seed ${seed} must have the settings of before, got another ${difference}; ` +
      'give the series a --name of its own',
  );
}

function firstDifference(a: Record<string, unknown>, b: Record<string, unknown>): string | undefined {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].find(
    (key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
}
