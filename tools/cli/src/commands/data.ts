import { Option, type Command } from 'commander';
import { checkDataset, type DatasetReport } from '@lunastream/dataset';
import { generatePhantom } from '@lunastream/phantom';
import { PlaceFiles, type Shape } from '@lunastream/volume';
import { formatTable } from '../closing-table.ts';
import { assertFolder } from '../data-folder.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { createTaskProgress } from '../task-progress.ts';
import { shape, wholeNumber } from '../train-options.ts';
import type { CommandContext } from './context.ts';

/** The commands about data sets: data check, data phantom. */
export function registerData(program: Command, context: CommandContext): void {
  const data = program.command('data').description('check a data set, or make one');
  data
    .command('check')
    .argument('<folder>', 'LUNA16 folder')
    .description('report what can be trained on and every problem; exit code 2 when there are errors')
    .addOption(
      new Option('--chunk <shape>', 'scans thinner than this are named')
        .default({ depth: 32, height: 48, width: 48 }, '32x48x48')
        .argParser(shape(1)),
    )
    .option('--json', 'the report as one JSON document')
    .action((folder: string, options: CheckOptions) => checkData(folder, options, context));
  data
    .command('phantom')
    .argument('<folder>', 'folder to make')
    .description('make a LUNA16-layout data set with simulated nodules; equal settings give equal bytes')
    .addOption(
      new Option('--background <kind>', 'real lung CTs shipped with lunastream, or synthetic chests')
        .choices(['real', 'synthetic'])
        .default('real'),
    )
    .addOption(new Option('--seed <number>', 'seed').default(1).argParser(wholeNumber(0, 0xffff_ffff)))
    .addOption(new Option('--scans <count>', 'scans to make').default(6).argParser(wholeNumber(1, 10_000)))
    .addOption(
      new Option('--nodules <count>', 'nodules in a scan').default(12).argParser(wholeNumber(1, 200)),
    )
    .addOption(
      new Option('--imbalance <count>', 'negatives per nodule').default(40).argParser(wholeNumber(1, 1000)),
    )
    .addOption(
      new Option('--shape <shape>', 'size of a synthetic scan, up to 300x512x512').argParser(shape(1)),
    )
    .option('--malignancy', 'also annotations_with_malignancy.csv: spiculated nodules count as malignant')
    .option('--json', 'the report as one JSON document')
    .action((folder: string, options: PhantomOptions) => makePhantom(folder, options, context));
}

interface CheckOptions {
  readonly chunk: Shape;
  readonly json?: true;
}

interface PhantomOptions {
  readonly background: 'real' | 'synthetic';
  readonly seed: number;
  readonly scans: number;
  readonly nodules: number;
  readonly imbalance: number;
  readonly shape?: Shape;
  readonly malignancy?: true;
  readonly json?: true;
}

async function makePhantom(folder: string, options: PhantomOptions, context: CommandContext): Promise<void> {
  const { terminal, interrupted } = context;
  const progress = createTaskProgress('scans', terminal);
  const report = await generatePhantom({
    outDir: folder,
    background: options.background,
    seed: options.seed,
    scanCount: options.scans,
    nodulesPerScan: options.nodules,
    negativesPerNodule: options.imbalance,
    malignancy: options.malignancy,
    ...(options.shape === undefined ? {} : { shape: options.shape }),
    signal: interrupted,
    onProgress: ({ scansDone, scanCount }) => progress.update(scansDone, scanCount),
  })
    .catch((error: unknown) => {
      if (interrupted.aborted) throw new CommandError('interrupted', ExitCode.interrupted);
      throw error;
    })
    .finally(() => progress.close());
  if (options.json) terminal.out(`${JSON.stringify(report)}\n`);
  else
    terminal.out(
      `${report.reused ? 'already there' : 'made'} ${report.outDir}: ${report.series.length} scans of ${report.patientCount} patients, ` +
        `${report.positiveCount} nodules, ${report.negativeCount} negatives\n`,
    );
}

async function checkData(
  folder: string,
  options: CheckOptions,
  { terminal, interrupted, setExitCode }: CommandContext,
): Promise<void> {
  await assertFolder(folder);
  const progress = createTaskProgress('steps', terminal);
  const report = await checkDataset(folder, {
    chunkShape: options.chunk,
    files: new PlaceFiles(),
    onProgress: ({ done, total }) => {
      if (interrupted.aborted) throw new CommandError('interrupted', ExitCode.interrupted);
      progress.update(done, total);
    },
  }).finally(() => progress.close());
  const errors = report.problems.filter(({ severity }) => severity === 'error').length;
  if (options.json) terminal.out(`${JSON.stringify({ ...report, errors })}\n`);
  else terminal.out(formatReport(report, errors));
  setExitCode(errors > 0 ? ExitCode.badInput : ExitCode.ok);
}

function formatReport(report: DatasetReport, errors: number): string {
  const { counts, negativesPerPositive, sharedSeriesCount } = report;
  const rows: [string, string][] = [
    [
      'candidates listed',
      `${counts.rows} (${counts.rowPositives} positive, ${counts.rowNegatives} negative)`,
    ],
    ['negatives per positive', negativesPerPositive?.toFixed(1) ?? 'undefined: no positives'],
    [
      'candidates usable',
      `${counts.candidates} (${counts.positives} positive, ${counts.negatives} negative)`,
    ],
    ['positives without diameter', String(counts.positivesWithoutDiameter)],
    ['annotations', String(counts.annotations)],
    ['scans usable', String(counts.usableSeries)],
    ['scans bad', String(counts.badSeries)],
    ['series without a scan', String(counts.missingSeries)],
    ['series on both sides of --split candidate', sharedSeriesCount?.toString() ?? 'too few candidates'],
  ];
  const problems = report.problems.map(({ severity, message }) => `${severity.padEnd(7)}  ${message}\n`);
  const warnings = report.problems.length - errors;
  return [
    formatTable(['data set', report.dir], rows, ['left', 'left']),
    '\n\n',
    ...problems,
    problems.length > 0 ? '\n' : '',
    `${errors} errors, ${warnings} warnings\n`,
  ].join('');
}
