import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { readRunResults, renderReport, type DrawCandidate, type ReportedRun } from '@lunastream/report';
import { assertDataFolder } from '../data-folder.ts';
import { CommandError } from '../errors.ts';
import { readSeriesRecord } from '../experiments/series-record.ts';
import { renderSlice } from '../figures/chunk-figure.ts';
import { LocalDataset, middleSlice } from '../local-dataset.ts';
import { replaySample } from '../replay-sample.ts';
import { readRunRecord } from '../run-record.ts';
import type { CommandContext } from './context.ts';

interface Options {
  readonly data?: string;
  readonly out?: string;
  readonly title?: string;
}

export function registerReport(program: Command, context: CommandContext): void {
  program
    .command('report')
    .argument('<folders...>', 'run folders, or the folder of a series')
    .description('write one page about runs: curves, thresholds, mistakes, settings; it works offline')
    .option('--data <folder>', 'data set of the runs, for slices of the mistakes')
    .option('--out <file>', 'page to write (default: report.html in the first folder)')
    .option('--title <text>', 'title of the page')
    .action((folders: string[], options: Options) => report(folders, options, context));
}

async function report(
  folders: readonly string[],
  options: Options,
  { terminal }: CommandContext,
): Promise<void> {
  if (options.data !== undefined) await assertDataFolder(options.data);
  const runs = (await Promise.all(folders.map(runsOf))).flat();
  const path = resolve(options.out ?? join(folders[0]!, 'report.html'));
  const title = options.title ?? `lunastream: ${basename(resolve(folders[0]!))}`;
  await writeReport(path, { title, runs, dataFolder: options.data });
  terminal.out(`report ${path}\n`);
}

/** The runs of a series, or the one run of a folder. */
async function runsOf(folder: string): Promise<ReportedRun[]> {
  const series = await readSeriesRecord(folder);
  if (series !== undefined) {
    const runsFolder = dirname(resolve(folder));
    const begun = series.runs.filter(({ runId }) => runId !== '');
    return Promise.all(
      begun.map(async ({ variant, seed, runId }) => ({
        variant,
        seed,
        results: await readRunResults(join(runsFolder, runId)),
      })),
    );
  }
  const results = await readRunResults(folder);
  const { seed, comment } = results.record.settings;
  return [{ variant: typeof comment === 'string' ? comment : basename(folder), seed: Number(seed), results }];
}

/** Renders the report of `runs` and writes it, whole or not at all. */
export async function writeReport(
  path: string,
  {
    title,
    runs,
    dataFolder,
  }: {
    readonly title: string;
    readonly runs: readonly ReportedRun[];
    readonly dataFolder: string | undefined;
  },
): Promise<void> {
  const draw = dataFolder === undefined ? undefined : await drawerOf(dataFolder, runs);
  const page = await renderReport({ title, runs, draw });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, page);
  await rename(`${path}.new`, path);
}

/**
 * Draws candidates of a run by making their samples again, as `replay` does.
 * @throws CommandError when the data is not that of the runs: the pictures would show something else.
 */
async function drawerOf(dataFolder: string, runs: readonly ReportedRun[]): Promise<DrawCandidate> {
  const dataset = await LocalDataset.open(dataFolder);
  const other = runs.find(({ results }) => results.record.datasetFingerprint !== dataset.fingerprint);
  if (other !== undefined) {
    throw new CommandError(
      `Cannot show the mistakes of run ${other.results.record.runId}: its data has fingerprint ` +
        `${other.results.record.datasetFingerprint}, got ${dataset.fingerprint} in ${dataFolder}`,
    );
  }
  return async ({ results }, index) => {
    const { settings } = await readRunRecord(results.folder);
    const { chunk, sampleShape } = await replaySample(dataset, settings, {
      split: 'val',
      epoch: 1,
      ordinal: index,
    });
    const { height, width } = sampleShape;
    const png = renderSlice({ sliceHu: middleSlice(chunk, sampleShape), height, width });
    return `data:image/png;base64,${png.toString('base64')}`;
  };
}
