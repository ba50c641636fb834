/**
 * The series of runs that answer a question, each run as the flags of `train` that set it apart. What a series leaves open
 * (data, chunk, batch size, learning rate, …) comes from the command line and is the same in all of its runs.
 */
import { CommandError } from '../errors.ts';

/** One way to train, to be compared with others. */
export interface Variant {
  /** Letters, digits, '.', '_' and '-': it becomes part of the runs' names. */
  readonly name: string;
  /** Flags of `train`, as they are typed; they win over those of the command line. */
  readonly flags: readonly string[];
}

/** How long and how large a series is. */
export interface SeriesSize {
  /** Epochs of the longest runs. */
  readonly epochs: number;
}

export const SERIES_NAMES = ['chapter', 'balance', 'augment', 'normalization', 'score', 'grid'] as const;
export type SeriesName = (typeof SERIES_NAMES)[number];

/** What a series asks, in one line. */
export const SERIES_QUESTIONS: Readonly<Record<SeriesName, string>> = {
  chapter: 'chapter 12: does balancing help, and which augmentation does?',
  balance: 'exercises 2 and 3: which balance of the classes?',
  augment: 'exercise 4: which transforms, and how strong?',
  normalization: 'exercise 5: which normalisation of the input?',
  score: 'exercise 1: which epoch does each score choose?',
  grid: 'all combinations of the values that are set',
};

const count = (flag: string, value: number) => [flag, String(value)];

/** The chapter's experiments: 1 epoch unbalanced, 20 balanced, 10 with each transform alone, 20 with all. */
function chapter({ epochs }: SeriesSize): Variant[] {
  const half = count('--epochs', Math.max(1, Math.round(epochs / 2)));
  const whole = count('--epochs', epochs);
  const transforms = ['flip', 'offset', 'scale', 'rotate', 'noise'];
  return [
    { name: 'unbalanced', flags: count('--epochs', Math.max(1, Math.round(epochs / 20))) },
    { name: 'balanced', flags: ['--balanced', ...whole] },
    ...transforms.map((name) => ({ name, flags: ['--balanced', `--augment-${name}`, ...half] })),
    { name: 'all', flags: ['--balanced', '--augmented', ...whole] },
  ];
}

function balance({ epochs }: SeriesSize): Variant[] {
  const half = Math.max(1, Math.floor(epochs / 2));
  const variants: Variant[] = [
    { name: 'ratio-0', flags: ['--ratio', '0'] },
    ...[1, 2, 4, 8].map((ratio) => ({ name: `ratio-${ratio}`, flags: count('--ratio', ratio) })),
    { name: 'ratio-1-then-4', flags: ['--ratio', `epoch <= ${half} ? 1 : 4`] },
    { name: 'weighted', flags: ['--sampler', 'weighted'] },
  ];
  return variants.map(({ name, flags }) => ({ name, flags: [...flags, ...count('--epochs', epochs)] }));
}

/** Strengths around the chapter's, on and off, and what the chapter does not have. */
const AUGMENTATIONS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  flip: ['--augment-flip'],
  'offset-0.1': ['--augment-offset', '0.1'],
  'offset-0.3': ['--augment-offset', '0.3'],
  'scale-0.2': ['--augment-scale', '0.2'],
  'scale-0.4': ['--augment-scale', '0.4'],
  rotate: ['--augment-rotate'],
  'noise-25': ['--augment-noise', '25'],
  'noise-75': ['--augment-noise', '75'],
  'elastic-2': ['--augment-elastic', '2'],
  'elastic-4': ['--augment-elastic', '4'],
  'intensity-50': ['--augment-hu-shift', '50', '--augment-hu-scale', '0.1'],
  'mixup-0.2': ['--mixup', '0.2'],
  'mixup-1': ['--mixup', '1'],
  all: ['--augmented'],
  'all-no-noise': ['--augmented', '--augment-noise', '0'],
  'all-mixup': ['--augmented', '--mixup', '0.2'],
  'all-elastic-intensity': [
    '--augmented',
    '--augment-elastic',
    '2',
    '--augment-hu-shift',
    '50',
    '--augment-hu-scale',
    '0.1',
  ],
};

function augment({ epochs }: SeriesSize): Variant[] {
  const shared = ['--balanced', ...count('--epochs', epochs)];
  return Object.entries(AUGMENTATIONS).map(([name, flags]) => ({ name, flags: [...shared, ...flags] }));
}

const NORMALIZATIONS = ['batch', 'fixed', 'signed-sqrt', 'signed-log', 'tanh'];

function normalization({ epochs }: SeriesSize): Variant[] {
  const shared = ['--balanced', '--augmented', ...count('--epochs', epochs)];
  return NORMALIZATIONS.map((name) => ({ name, flags: [...shared, '--input-normalization', name] }));
}

function score({ epochs }: SeriesSize): Variant[] {
  return [{ name: 'balanced', flags: ['--balanced', ...count('--epochs', epochs)] }];
}

/** Every combination of the values, the last flag turning fastest. */
function grid(axes: readonly GridAxis[]): Variant[] {
  if (axes.length === 0) {
    throw new CommandError('Cannot make a grid: set at least one flag, as in --set batch-size=16,32');
  }
  let variants: Variant[] = [{ name: '', flags: [] }];
  for (const { flag, values } of axes) {
    variants = variants.flatMap((variant) =>
      values.map((value) => ({
        name: [variant.name, `${flag}-${value}`]
          .filter(Boolean)
          .join('_')
          .replace(/[^A-Za-z0-9._-]+/g, '-'),
        flags: [...variant.flags, ...(value === 'on' ? [`--${flag}`] : [`--${flag}`, value])],
      })),
    );
  }
  return variants;
}

/** A flag of `train` and its values, as `--set batch-size=16,32` gives them. */
export interface GridAxis {
  readonly flag: string;
  readonly values: readonly string[];
}

/** The variants of a series. @throws CommandError for a grid without axes. */
export function variantsOf(name: SeriesName, size: SeriesSize, axes: readonly GridAxis[]): Variant[] {
  switch (name) {
    case 'chapter':
      return chapter(size);
    case 'balance':
      return balance(size);
    case 'augment':
      return augment(size);
    case 'normalization':
      return normalization(size);
    case 'score':
      return score(size);
    case 'grid':
      return grid(axes);
  }
}
