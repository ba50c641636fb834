import type { Command } from 'commander';
import { readPoints, type Point } from '@lunastream/dataset';
import { containsIrc, openVolume, readGrownChunk, xyzToIrc, type VolumeReader } from '@lunastream/volume';
import { CommandError, ExitCode } from '../errors.ts';
import { createTaskProgress } from '../task-progress.ts';
import { readModel, scoreChunks, startModel, type ModelChoice } from '../trained-model.ts';
import type { CommandContext } from './context.ts';
import { addModelOptions } from './model-options.ts';

interface Options extends ModelChoice {
  readonly scan: string;
  readonly points: string;
  readonly threshold?: number;
  readonly json?: true;
}

export function registerPredict(program: Command, context: CommandContext): void {
  const command = program
    .command('predict')
    .description('P(nodule) at points of a scan, as CSV; the scan needs no data set')
    .requiredOption('--scan <file>', 'MetaImage, NRRD or NIfTI file, or the folder of a DICOM series')
    .requiredOption('--points <file>', 'CSV with coordX, coordY, coordZ in mm, other columns are ignored');
  addModelOptions(command)
    .option('--json', 'a line of JSON per point')
    .action((options: Options) => predict(options, context));
}

async function predict(options: Options, context: CommandContext): Promise<void> {
  const model = await readModel(options);
  const points = await readPoints(options.points);
  if (points.length === 0)
    throw new CommandError(`Cannot predict: ${options.points} must have a point, got none`);
  const reader = await openVolume(options.scan);
  const { chunkShape: shape, border } = model;
  const progress = createTaskProgress('points', context.terminal);
  try {
    const centres = points.map((point) => centreOf(point, reader, options));
    const engine = await startModel(model, options);
    try {
      const { probabilities } = await scoreChunks(engine, {
        count: points.length,
        labelOf: () => 0,
        readChunk: (index) => readGrownChunk(reader, centres[index]!, { shape, grownShape: shape, border }),
        onProgress: (done) => progress.update(done, points.length),
        signal: context.interrupted,
      });
      progress.close();
      const threshold = options.threshold ?? model.threshold;
      write(points, { probabilities, threshold }, options, context);
    } finally {
      engine.dispose();
    }
  } catch (error) {
    if (context.interrupted.aborted) throw new CommandError('interrupted', ExitCode.interrupted);
    throw error;
  } finally {
    progress.close();
    await reader.close();
  }
}

function centreOf({ line, centerXyzMm }: Point, { geometry }: VolumeReader, { points, scan }: Options) {
  const centre = xyzToIrc(geometry, centerXyzMm);
  if (containsIrc(geometry.shape, centre)) return centre;
  throw new CommandError(
    `Cannot predict ${points}:${line}: the point must lie inside ${scan}, got (${centerXyzMm.join(', ')}) mm`,
  );
}

function write(
  points: readonly Point[],
  { probabilities, threshold }: { readonly probabilities: Float32Array; readonly threshold: number },
  { json }: Options,
  { terminal }: CommandContext,
): void {
  if (!json) terminal.out('coordX,coordY,coordZ,probability,call\n');
  points.forEach(({ centerXyzMm: [x, y, z] }, index) => {
    const probability = Number(probabilities[index]!.toPrecision(9));
    const isNodule = probabilities[index]! > threshold;
    if (json) terminal.out(`${JSON.stringify({ coordX: x, coordY: y, coordZ: z, probability, isNodule })}\n`);
    else terminal.out(`${x},${y},${z},${probability},${Number(isNodule)}\n`);
  });
}
