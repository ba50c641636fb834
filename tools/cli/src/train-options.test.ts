import { CHAPTER_AUGMENTATION, NO_AUGMENTATION } from '@lunastream/augmentation';
import {
  BestScore,
  BorderRule,
  InputNormalization,
  Labels,
  LearningRateSchedule,
  Optimizer,
  Sampler,
  SplitRule,
  VoxelType,
  type RunSettings,
} from '@lunastream/contracts';
import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { addTrainOptions, shape, toRunSettings, wholeNumber, type TrainOptions } from './train-options.ts';

/** The command as `train` makes it, with errors kept instead of written. */
function parse(
  ...args: string[]
): { settings: RunSettings; error?: undefined } | { error: string; settings?: undefined } {
  let error = '';
  const command = addTrainOptions(new Command('train'))
    .exitOverride()
    .configureOutput({ writeErr: (text) => (error += text) });
  try {
    command.parse(args, { from: 'user' });
    return { settings: toRunSettings(command.opts<TrainOptions>(), 'default', '') };
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    return { error };
  }
}
const settingsOf = (...args: string[]) => parse(...args).settings!;

describe('the flags of train', () => {
  it('have the names and defaults of the chapter, and ours', () => {
    const { options } = addTrainOptions(new Command('train'));
    expect(options.map(({ long, defaultValue }) => [long, defaultValue as unknown])).toEqual([
      ['--batch-size', 32],
      ['--epochs', 1],
      ['--balanced', undefined],
      ['--augmented', undefined],
      ['--augment-flip', undefined],
      ['--augment-offset', undefined],
      ['--augment-scale', undefined],
      ['--augment-rotate', undefined],
      ['--augment-noise', undefined],
      ['--tb-prefix', 'p2ch12'],
      ['--comment', 'dlwpt'],
      ['--augment-elastic', undefined],
      ['--augment-hu-shift', undefined],
      ['--augment-hu-scale', undefined],
      ['--mixup', undefined],
      ['--margin', undefined],
      ['--no-margin', undefined],
      ['--compat', undefined],
      ['--voxel-type', 'float32'],
      ['--seed', 1],
      ['--ratio', undefined],
      ['--sampler', 'shuffled'],
      ['--epoch-length', undefined],
      ['--chunk', { depth: 32, height: 48, width: 48 }],
      ['--border', 'shift'],
      ['--lr', 0.001],
      ['--momentum', 0.99],
      ['--engine', 'auto'],
      ['--threads', undefined],
      ['--threshold', 0.5],
      ['--split', 'series'],
      ['--labels', 'nodule'],
      ['--score', 'f1'],
      ['--validation-cadence', 1],
      ['--early-stop', 0],
      ['--checkpoint-batches', undefined],
      ['--optimizer', 'sgd'],
      ['--weight-decay', 0],
      ['--clip-norm', undefined],
      ['--positive-weight', 1],
      ['--focal', undefined],
      ['--input-normalization', 'batch'],
      ['--activations', 'float32'],
      ['--lr-schedule', 'constant'],
      ['--lr-step-epochs', 10],
      ['--lr-step-factor', 0.1],
      ['--lr-warmup', 0],
      ['--weights', undefined],
      ['--new-head', undefined],
      ['--finetune-depth', 6],
      ['--tensorboard', undefined],
      ['--tensorboard-sample', undefined],
    ]);
  });

  it.each([
    [[], true],
    [['--compat'], false],
    [['--no-margin'], false],
    [['--compat', '--margin'], true],
  ])('%j makes samples with a margin: %j', (flags, margin) => {
    expect(settingsOf(...flags).margin).toBe(margin);
  });

  it('ask for samples in float16 by --voxel-type', () => {
    expect(settingsOf('--voxel-type', 'float16').voxelType).toBe(VoxelType.FLOAT16);
  });

  it('switch on what the chapter does not have by a flag each', () => {
    const flags = [
      '--augment-elastic',
      '2',
      '--augment-hu-shift',
      '30',
      '--augment-hu-scale',
      '0.1',
      '--mixup',
    ];
    expect(settingsOf('--augmented', ...flags).augmentation).toEqual({
      ...CHAPTER_AUGMENTATION,
      elasticVoxels: 2,
      huShift: 30,
      huScale: 0.1,
      mixupAlpha: 0.2,
    });
    expect(settingsOf('--mixup', '1').augmentation).toEqual({ ...NO_AUGMENTATION, mixupAlpha: 1 });
  });

  it('without any are the chapter’s run: unbalanced, unaugmented', () => {
    expect(settingsOf()).toEqual({
      dataset: 'default',
      batchSize: 32,
      epochs: 1,
      ratio: 0,
      ratioSchedule: '',
      sampler: Sampler.SHUFFLED,
      epochLength: 0,
      augmentation: NO_AUGMENTATION,
      margin: true,
      voxelType: VoxelType.FLOAT32,
      tbPrefix: 'p2ch12',
      comment: 'dlwpt',
      seed: 1,
      chunkShape: { depth: 32, height: 48, width: 48 },
      border: BorderRule.SHIFT,
      learningRate: 0.001,
      momentum: 0.99,
      engine: 'auto',
      threads: 0,
      checkpointBatches: 0,
      threshold: 0.5,
      split: SplitRule.SERIES,
      labels: Labels.NODULE,
      score: BestScore.F1,
      validationCadence: 1,
      earlyStop: 0,
      learning: {
        optimizer: Optimizer.SGD,
        weightDecay: 0,
        largestGradientNorm: 0,
        positiveWeight: 1,
        focusing: 0,
        inputNormalization: InputNormalization.BATCH,
        schedule: LearningRateSchedule.CONSTANT,
        stepEpochs: 10,
        stepFactor: 0.1,
        warmupEpochs: 0,
        fineTuneDepth: 6,
        float16Activations: false,
      },
      tensorboard: undefined,
      initialWeights: undefined,
      resumeRunId: '',
    });
  });

  it('say how the model learns', () => {
    const flags =
      '--optimizer adamw --weight-decay 0.01 --clip-norm 2.5 --positive-weight 3 --focal --input-normalization signed-sqrt ' +
      '--lr-schedule cosine --lr-warmup 0.5 --lr-step-epochs 3 --lr-step-factor 0.5 --finetune-depth 2 --activations float16';
    expect(settingsOf(...flags.split(' ')).learning).toEqual({
      optimizer: Optimizer.ADAMW,
      weightDecay: 0.01,
      largestGradientNorm: 2.5,
      positiveWeight: 3,
      focusing: 2,
      inputNormalization: InputNormalization.SIGNED_SQRT,
      schedule: LearningRateSchedule.COSINE,
      stepEpochs: 3,
      stepFactor: 0.5,
      warmupEpochs: 0.5,
      fineTuneDepth: 2,
      float16Activations: true,
    });
    expect(settingsOf('--focal', '0.5').learning?.focusing).toBe(0.5);
  });

  it('write for TensorBoard, and name the sample to look at', () => {
    expect(settingsOf('--tensorboard').tensorboard).toEqual({ sample: undefined });
    expect(settingsOf('--tensorboard-sample', '0').tensorboard).toEqual({ sample: 0 });
  });

  it('reach the settings, each its own', () => {
    const args =
      '--batch-size 8 --epochs 3 --ratio 2 --epoch-length 128 --tb-prefix exp --comment try-1 --seed 7 --chunk 24x25x26 ' +
      '--lr 0.01 --momentum 0 --engine tfjs --threshold 0.25 --split candidate --score auc';
    expect(settingsOf(...args.split(' '))).toMatchObject({
      batchSize: 8,
      epochs: 3,
      ratio: 2,
      epochLength: 128,
      tbPrefix: 'exp',
      comment: 'try-1',
      seed: 7,
      chunkShape: { depth: 24, height: 25, width: 26 },
      learningRate: 0.01,
      momentum: 0,
      engine: 'tfjs',
      threshold: 0.25,
      split: SplitRule.CANDIDATE,
      score: BestScore.AUC,
    });
  });

  it.each([
    [[], 0],
    [['--balanced'], 1],
    [['--ratio', '3'], 3],
    [['--balanced', '--ratio', '3'], 3],
  ])('%j balance with ratio %i', (args, ratio) => {
    expect(settingsOf(...args)).toMatchObject({ ratio, ratioSchedule: '' });
  });

  it.each(['1,1,4', 'epoch<5 ? 1 : 4'])('--ratio %j is a schedule', (text) => {
    expect(settingsOf('--ratio', text)).toMatchObject({ ratio: 0, ratioSchedule: text });
  });

  it('sample by weights, validate by a cadence, stop early', () => {
    expect(
      settingsOf('--sampler', 'weighted', '--validation-cadence', '5', '--early-stop', '3'),
    ).toMatchObject({ sampler: Sampler.WEIGHTED, validationCadence: 5, earlyStop: 3 });
  });

  it.each([
    ['--augmented', CHAPTER_AUGMENTATION],
    ['--augment-flip', { ...NO_AUGMENTATION, flip: true }],
    ['--augment-offset', { ...NO_AUGMENTATION, offset: 0.1 }],
    ['--augment-offset 0.25', { ...NO_AUGMENTATION, offset: 0.25 }],
    ['--augment-scale', { ...NO_AUGMENTATION, scale: 0.2 }],
    ['--augment-scale 0.5', { ...NO_AUGMENTATION, scale: 0.5 }],
    ['--augment-rotate', { ...NO_AUGMENTATION, rotate: true }],
    ['--augment-noise', { ...NO_AUGMENTATION, noiseHu: 25 }],
    ['--augment-noise 50', { ...NO_AUGMENTATION, noiseHu: 50 }],
    ['--augmented --augment-noise 0', { ...CHAPTER_AUGMENTATION, noiseHu: 0 }],
    ['--augment-offset --augment-flip', { ...NO_AUGMENTATION, offset: 0.1, flip: true }],
  ])('%s augments', (args, expected) => {
    expect(settingsOf(...args.split(' ')).augmentation).toEqual(expected);
  });

  it.each([
    ['--batch-size 0', 'It must be a whole number in 1..4096.'],
    ['--batch-size 4097', 'It must be a whole number in 1..4096.'],
    ['--batch-size 1.5', 'It must be a whole number in 1..4096.'],
    ['--batch-size 1e2', 'It must be a whole number in 1..4096.'],
    ['--epochs 0', 'It must be a whole number in 1..1000000.'],
    ['--seed 4294967296', 'It must be a whole number in 0..4294967295.'],
    [
      '--ratio -1',
      "Cannot read the ratio schedule '-1': it must give a whole number in 0..1000000 in epoch 1, got -1",
    ],
    ['--ratio epoch<', "Cannot read the ratio schedule 'epoch<': column 7 must be a number, epoch"],
    [
      '--ratio 1,,2',
      "Cannot read the ratio schedule '1,,2': entry 2 of the list must be a whole number in 0..1000000, got nothing",
    ],
    ['--sampler sorted', 'Allowed choices are shuffled, weighted.'],
    ['--validation-cadence 0', 'It must be a whole number in 1..1000000.'],
    ['--optimizer lion', 'Allowed choices are sgd, adam, adamw.'],
    ['--weight-decay -1', 'It must be at least 0.'],
    ['--clip-norm 0', 'It must be above 0.'],
    ['--lr-step-epochs 0.5', 'It must be a whole number in 1..1000000.'],
    ['--tensorboard-sample 1.5', 'It must be a whole number.'],
    ['--early-stop -1', 'It must be a whole number in 0..1000000.'],
    ['--epoch-length 0', 'It must be a whole number in 1..10000000.'],
    ['--augment-offset 1.1', 'It must be in 0..1.'],
    ['--augment-scale 1', 'It must be at least 0 and below 1.'],
    ['--augment-noise -5', 'It must be a number of HU, at least 0.'],
    ['--augment-noise Infinity', 'It must be a number of HU, at least 0.'],
    ['--lr 0', 'It must be above 0.'],
    ['--lr fast', 'It must be above 0.'],
    ['--momentum 1', 'It must be at least 0 and below 1.'],
    ['--threshold 2', 'It must be in 0..1.'],
    ['--chunk 32x48', 'It must be depth x height x width as in 32x48x48, each at least 16.'],
    ['--chunk 32x48x15', 'It must be depth x height x width as in 32x48x48, each at least 16.'],
    ['--split patient', 'Allowed choices are series, candidate.'],
    ['--score accuracy', 'Allowed choices are f1, f2, f05, recall, auc, recall-at-fpr.'],
  ])('refuse %s in one line that names flag and rule', (args, rule) => {
    const [flag, value] = args.split(' ') as [string, string];
    const { error } = parse(flag, value);
    expect(error).toMatch(/^error: option '[^\n]*\n$/);
    expect(error).toContain(flag);
    expect(error).toContain(`'${value}' is invalid. ${rule}`);
  });

  it.each(['--batch-size', '--tb-prefix', '--score'])('refuse %s without a value', (flag) => {
    expect(parse(flag).error).toMatch(new RegExp(`^error: option '${flag} <\\w+>' argument missing\n$`));
  });
});

describe('parsers of values', () => {
  it.each(['', ' ', '+1', '0x10', '1_000', '99999999999999999999'])('wholeNumber() refuses %j', (text) => {
    expect(() => wholeNumber(0, 1000)(text)).toThrow('It must be a whole number in 0..1000.');
  });

  it('shape() reads depth, height, width', () => {
    expect(shape(1)('1x2x3')).toEqual({ depth: 1, height: 2, width: 3 });
  });
});
