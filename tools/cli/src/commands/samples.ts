import { createHash } from 'node:crypto';
import { Option, type Command } from 'commander';
import { CHAPTER_AUGMENTATION, marginFor } from '@lunastream/augmentation';
import { copySampleVoxels } from '@lunastream/contracts';
import type { Candidate } from '@lunastream/dataset';
import { voxelCount, type Shape } from '@lunastream/volume';
import { assertDataFolder } from '../data-folder.ts';
import { CommandError } from '../errors.ts';
import { augmentationFigure, describeTransform, PREVIEW_EPOCH } from '../figures/augmentation-figure.ts';
import { writeFigure } from '../figures/write-figure.ts';
import { describeCandidate, LocalDataset, middleSlice } from '../local-dataset.ts';
import { replaySample, shownCandidates, type ReplayedSample } from '../replay-sample.ts';
import { readRunRecord } from '../run-record.ts';
import { shape, WIRE_VOXEL_TYPE, wholeNumber } from '../train-options.ts';
import type { CommandContext } from './context.ts';

const LARGEST_UINT32 = 0xffff_ffff;
/** A plan up to it is made. */
const LARGEST_ORDINAL = 1_000_000;

interface PreviewOptions {
  readonly data: string;
  readonly candidate: number;
  readonly ordinal?: number;
  readonly chunk: Shape;
  readonly seed: number;
  readonly margin: boolean;
  readonly out: string;
}

interface ReplayOptions {
  readonly run: string;
  readonly data: string;
  readonly split: 'trn' | 'val';
  readonly epoch: number;
  readonly ordinal: number;
  readonly out?: string;
  readonly json?: true;
}

/** The commands that look at single samples: preview, replay. They start no services. */
export function registerSamples(program: Command, context: CommandContext): void {
  program
    .command('preview')
    .description(
      "draw a candidate's middle slice: as it is, under each transform alone, under all in three draws",
    )
    .requiredOption('--data <folder>', 'LUNA16 folder')
    .addOption(
      new Option(
        '--candidate <index>',
        'position in the list of usable candidates: nodules first, largest first',
      )
        .default(0)
        .argParser(wholeNumber(0, LARGEST_UINT32)),
    )
    .addOption(
      new Option(
        '--ordinal <number>',
        'position in the first epoch of a balanced run with this seed, instead',
      )
        .conflicts('candidate')
        .argParser(wholeNumber(0, LARGEST_ORDINAL)),
    )
    .addOption(
      new Option('--chunk <shape>', 'depth x height x width in voxels')
        .default({ depth: 32, height: 48, width: 48 }, '32x48x48')
        .argParser(shape(1)),
    )
    .addOption(
      new Option('--seed <number>', 'seed of the draws').default(1).argParser(wholeNumber(0, LARGEST_UINT32)),
    )
    .option('--no-margin', 'repeat the border where a transform looks beyond the chunk, as the chapter does')
    .option('--out <file>', 'PNG to write', 'preview.png')
    .action((options: PreviewOptions) => preview(options, context));
  program
    .command('replay')
    .description('make the sample again that a run trained on, bit by bit, and tell what was drawn for it')
    .requiredOption('--run <folder>', 'run folder')
    .requiredOption('--data <folder>', 'LUNA16 folder that the run was trained on')
    .addOption(new Option('--split <name>', 'training or validation').choices(['trn', 'val']).default('trn'))
    .addOption(
      new Option('--epoch <number>', 'epoch, from 1').default(1).argParser(wholeNumber(1, LARGEST_UINT32)),
    )
    .addOption(
      new Option('--ordinal <number>', 'position in the epoch, from 0')
        .makeOptionMandatory()
        .argParser(wholeNumber(0, LARGEST_UINT32)),
    )
    .option('--out <file>', 'PNG of the chunk and the sample')
    .option('--json', 'the sample as one JSON object')
    .action((options: ReplayOptions) => replay(options, context));
}

async function preview(options: PreviewOptions, { terminal }: CommandContext): Promise<void> {
  await assertDataFolder(options.data);
  const dataset = await LocalDataset.open(options.data);
  const candidate =
    options.ordinal === undefined
      ? dataset.candidateAt(options.candidate)
      : candidateOfOrdinal(dataset, options.seed, options.ordinal);
  const sampleShape = options.chunk;
  const settings = CHAPTER_AUGMENTATION;
  const sourceShape = options.margin ? marginFor(settings, sampleShape) : sampleShape;
  const voxelsHu = await dataset.readChunk(candidate, { shape: sampleShape, grownShape: sourceShape });
  const title = describeCandidate(candidate);
  const figure = augmentationFigure(
    { title, voxelsHu, sourceShape, sampleShape },
    {
      settings,
      seed: options.seed,
      firstOrdinal: options.ordinal ?? 0,
    },
  );
  await writeFigure(options.out, figure, terminal);
  terminal.out(`${title}\nwrote ${options.out}\n`);
}

/** What a balanced run with this seed shows at `ordinal` of its first epoch. */
function candidateOfOrdinal(dataset: LocalDataset, seed: number, ordinal: number): Candidate {
  const settings = {
    split: 'series',
    labels: 'nodule',
    ratio: 1,
    sampler: 'shuffled',
    seed,
    epochLength: ordinal + 1,
  } as const;
  return shownCandidates(dataset.candidates, settings, { split: 'trn', epoch: PREVIEW_EPOCH })[ordinal]!;
}

async function replay(options: ReplayOptions, { terminal }: CommandContext): Promise<void> {
  await assertDataFolder(options.data);
  const record = await readRunRecord(options.run);
  const dataset = await LocalDataset.open(options.data);
  if (dataset.fingerprint !== record.datasetFingerprint) {
    throw new CommandError(
      `Cannot replay ${options.run}: the data set must have fingerprint ${record.datasetFingerprint}, ` +
        `got ${dataset.fingerprint} of ${options.data}`,
    );
  }
  const replayed = await replaySample(dataset, record.settings, options);
  const { candidate, transform, partner, voxels, voxelType } = replayed;
  const sha256 = createHash('sha256').update(new Uint8Array(voxels)).digest('hex');
  if (options.out !== undefined) await writeFigure(options.out, replayFigure(replayed), terminal);
  if (options.json) {
    terminal.out(
      `${JSON.stringify({ candidate, transform, partner, sampleShape: replayed.sampleShape, voxelType, sha256 })}\n`,
    );
    return;
  }
  const lines = [
    describeCandidate(candidate),
    describeTransform(transform),
    ...(partner === undefined
      ? []
      : [`mixed with ordinal ${partner.ordinal}: ${describeCandidate(partner.candidate)}`]),
    `${voxelType} voxels, sha256 ${sha256}`,
  ];
  terminal.out(`${lines.join('\n')}\n`);
}

function replayFigure({ candidate, chunk, voxels, voxelType, transform, sampleShape }: ReplayedSample) {
  const sample = new Float32Array(voxelCount(sampleShape));
  copySampleVoxels({ voxelsHu: Buffer.from(voxels), voxelType: WIRE_VOXEL_TYPE[voxelType] }, sample);
  const panel = (title: string, caption: string, voxelsHu: Int16Array | Float32Array) => ({
    title,
    caption,
    sliceHu: middleSlice(voxelsHu, sampleShape),
    height: sampleShape.height,
    width: sampleShape.width,
  });
  return {
    title: describeCandidate(candidate),
    columns: 2,
    panels: [
      panel('chunk', 'as cut from the scan', chunk),
      panel('sample', describeTransform(transform), sample),
    ],
  };
}
