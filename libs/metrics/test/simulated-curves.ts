import type { EpochRecord } from '../src/index.ts';
import { toEpochRecord, summarizeEpoch } from '../src/index.ts';
import { exponential, logarithm, RandomPurpose, RandomStream } from '@lunastream/random';

/** What val loss/pos does without noise; epochs count from 1. */
export type Shape = (epoch: number) => number;

/** Relative noise of a loss: its standard deviation, and the correlation of one epoch's with the next's. */
export interface LossNoise {
  readonly deviation: number;
  readonly correlation: number;
}

const TRAINING_NOISE: LossNoise = { deviation: 0.1, correlation: 0 };
const EMPTY = { labels: [], probabilities: [], losses: [], threshold: 0.5 };

function noisyLosses(shape: Shape, epochs: number, noise: LossNoise, stream: RandomStream): number[] {
  const fresh = Math.sqrt(1 - noise.correlation ** 2);
  let deviation = stream.gaussian();
  return Array.from({ length: epochs }, (_, index) => {
    if (index > 0) deviation = noise.correlation * deviation + fresh * stream.gaussian();
    return shape(index + 1) * exponential(noise.deviation * deviation);
  });
}

/** The records of a run whose training loss falls for ever and whose validation loss has this shape and noise. */
export function simulateRun(shape: Shape, epochs: number, noise: LossNoise, run: number): EpochRecord[] {
  const stream = new RandomStream({ runSeed: 36, epoch: 0, ordinal: run, purpose: RandomPurpose.noise });
  const validated = noisyLosses(shape, epochs, noise, stream);
  const trained = noisyLosses((epoch) => 0.5 * exponential(-epoch / 10), epochs, TRAINING_NOISE, stream);
  return validated.flatMap((loss, index) => {
    const epoch = index + 1;
    const record = (split: 'trn' | 'val', lossPos: number) => ({
      ...toEpochRecord(summarizeEpoch({ ...EMPTY, epoch, split }), 0),
      loss_pos: lossPos,
    });
    return [record('trn', trained[index]!), record('val', loss)];
  });
}

/** val_pos of chapter 12.4.2, `--balanced`: the epochs that the book prints. */
export const BOOK_VAL_POS = [
  [1, 0.9549],
  [2, 0.8471],
  [5, 1.0515],
  [10, 2.0594],
  [20, 2.7101],
] as const;

/** The book's run, between its printed epochs by straight lines. */
export function bookShape(epoch: number): number {
  const after = BOOK_VAL_POS.findIndex(([printed]) => printed >= epoch);
  const [to, lossTo] = BOOK_VAL_POS[after]!;
  const [from, lossFrom] = BOOK_VAL_POS[Math.max(0, after - 1)]!;
  return from === to ? lossTo : lossFrom + ((lossTo - lossFrom) * (epoch - from)) / (to - from);
}

/** Healthy runs, and the ones that overfit. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  'no progress': () => 1,
  'falls to a plateau': (epoch) => 0.8 + 0.7 * exponential(-epoch / 4),
  'keeps falling': (epoch) => 1.5 * exponential(-0.3 * logarithm(epoch + 1)),
  'the book': bookShape,
  'slow rise from epoch 10': (epoch) => 0.8 + 0.5 * exponential(-epoch / 4) + 0.06 * Math.max(0, epoch - 9),
};
