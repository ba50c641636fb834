import { InvalidArgumentError, Option, type Command } from 'commander';
import { CHAPTER_AUGMENTATION, marginFor } from '@lunastream/augmentation';
import { openChunkSource, warmChunks, type ChunkSource, type WarmReport } from '@lunastream/chunk-source';
import { errorText, sizeSchema } from '@lunastream/service-kit';
import type { BorderRule, ChunkExtent, Shape } from '@lunastream/volume';
import { cacheFoldersOf } from '../cache-folders.ts';
import { assertDataFolder } from '../data-folder.ts';
import { ExitCode } from '../errors.ts';
import { createTaskProgress, NO_PROGRESS } from '../task-progress.ts';
import { borderOption, shape, wholeNumber } from '../train-options.ts';
import { DEFAULT_STATE_FOLDER, type CommandContext } from './context.ts';

interface WarmCommandOptions {
  readonly data: string;
  readonly state: string;
  readonly chunk: Shape;
  readonly border: BorderRule;
  readonly augmented?: true;
  readonly parallel: number;
  readonly storeLimit: number;
  readonly copyLimit: number;
  readonly json?: true;
  readonly quiet?: true;
}

/** What became of the chunks of every extent together. */
interface WarmSummary extends WarmReport {
  /** The tier could not keep chunks: the disk is full, or cannot be written. */
  readonly unkept: string | undefined;
  /** Chunks and copies that went again to keep below the limits. */
  readonly evicted: number;
}

/** Decompressed scans in memory, for those of which no copy can be made. */
const VOLUME_LIMIT_BYTES = 2 ** 30;
/** Warmed chunks go to the disk alone. */
const MEMORY_LIMIT_BYTES = 1;

/** Parses a size such as 20GiB for commander. */
function size(text: string): number {
  const parsed = sizeSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`It ${parsed.error.issues.map(({ message }) => message).join(', ')}.`);
}

/** Adds `cache warm`. It starts no service: chunks are kept where services with the same state folder look. */
export function registerCacheWarm(cache: Command, context: CommandContext): void {
  cache
    .command('warm')
    .description(
      'cut the chunks of every candidate ahead of training, scan by scan; started again, it goes on',
    )
    .requiredOption('--data <folder>', 'data set: a folder, http://… or s3://…')
    .addOption(
      new Option('--state <folder>', 'state folder of the services that will read them').default(
        DEFAULT_STATE_FOLDER,
      ),
    )
    .addOption(
      new Option('--chunk <shape>', 'depth x height x width in voxels, as in training')
        .default({ depth: 32, height: 48, width: 48 }, '32x48x48')
        .argParser(shape(1)),
    )
    .addOption(borderOption())
    .option('--augmented', 'also with the margin that training with --augmented looks into')
    .addOption(
      new Option('--parallel <count>', 'chunks cut at a time').default(8).argParser(wholeNumber(1, 256)),
    )
    .addOption(
      new Option('--store-limit <size>', 'most bytes of chunks kept')
        .default(20 * 2 ** 30, '20GiB')
        .argParser(size),
    )
    .addOption(
      new Option('--copy-limit <size>', 'most bytes of local copies of scans')
        .default(50 * 2 ** 30, '50GiB')
        .argParser(size),
    )
    .addOption(new Option('--json', 'the report as one JSON document').conflicts('quiet'))
    .option('--quiet', 'no report and no progress; problems only')
    .action((options: WarmCommandOptions) => warm(options, context));
}

function extentsOf({ chunk, border, augmented }: WarmCommandOptions): ChunkExtent[] {
  // Validation is not augmented and asks for the chunk alone; training asks for the margin, too.
  const alone = { shape: chunk, grownShape: chunk, border };
  if (augmented !== true) return [alone];
  return [alone, { shape: chunk, grownShape: marginFor(CHAPTER_AUGMENTATION, chunk), border }];
}

async function warm(options: WarmCommandOptions, context: CommandContext): Promise<void> {
  await assertDataFolder(options.data);
  const { terminal, interrupted, setExitCode } = context;
  const { chunks, copies } = cacheFoldersOf(options.state);
  let unkept: string | undefined;
  const source = openChunkSource(
    {
      datasets: [{ name: 'default', folder: options.data }],
      storeFolder: chunks,
      storeLimitBytes: options.storeLimit,
      copyFolder: copies,
      copyLimitBytes: options.copyLimit,
      memoryLimitBytes: MEMORY_LIMIT_BYTES,
      volumeLimitBytes: VOLUME_LIMIT_BYTES,
    },
    {
      onTierError: (tier, error) => (unkept ??= `tier ${tier}: ${errorText(error)}`),
      onTierRecovered: () => undefined,
    },
  );
  const progress = options.quiet ? NO_PROGRESS : createTaskProgress('chunks', terminal);
  let report: WarmReport;
  let evicted: number;
  try {
    report = await warmExtents(source, options, interrupted, (done, total) => progress.update(done, total));
    const { tiers, volumes } = source.stats();
    evicted = tiers.reduce((sum, { evictionCount }) => sum + evictionCount, volumes?.evictionCount ?? 0);
  } finally {
    progress.close();
    await source.close();
  }
  showReport({ ...report, unkept, evicted }, options, context);
  if (interrupted.aborted) setExitCode(ExitCode.interrupted);
  else setExitCode(report.failed > 0 || unkept !== undefined ? ExitCode.failed : ExitCode.ok);
}

async function warmExtents(
  source: ChunkSource,
  options: WarmCommandOptions,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<WarmReport> {
  const dataset = await source.getDataset('default');
  const extents = extentsOf(options);
  const total = dataset.candidates.length * extents.length;
  const sum = { candidates: dataset.candidates.length, kept: 0, cut: 0, failed: 0 };
  const problems: string[] = [];
  for (const extent of extents) {
    const before = sum.kept + sum.cut + sum.failed;
    const report = await warmChunks(source, dataset, {
      extent,
      parallel: options.parallel,
      signal,
      onProgress: (done) => onProgress(before + done, total),
    });
    for (const count of ['kept', 'cut', 'failed'] as const) sum[count] += report[count];
    problems.push(...report.problems);
  }
  return { ...sum, problems };
}

function showReport(
  summary: WarmSummary,
  { json, quiet, state }: WarmCommandOptions,
  { terminal, interrupted }: CommandContext,
): void {
  const { candidates, kept, cut, failed, problems, unkept, evicted } = summary;
  for (const problem of problems) terminal.err(`${problem}\n`);
  if (unkept !== undefined) terminal.err(`Cannot keep every chunk or copy in ${state}: ${unkept}\n`);
  if (evicted > 0) {
    terminal.err(`${evicted} chunks or copies went again to stay below --store-limit and --copy-limit\n`);
  }
  if (interrupted.aborted) terminal.err('lunastream: interrupted; the same command goes on from here\n');
  if (json) terminal.out(`${JSON.stringify({ ...summary, unkept: unkept ?? null })}\n`);
  else if (!quiet) {
    terminal.out(`${candidates} candidates: ${cut} chunks cut, ${kept} kept already, ${failed} failed\n`);
  }
}
