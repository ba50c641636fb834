import { basename, join } from 'node:path';
import type { Engine, ModelTensor } from '@lunastream/engine';
import type { ClassNames, ClassSummary, EpochSummary, Split } from '@lunastream/metrics';
import { errorText } from '@lunastream/service-kit';
import {
  EventWriter,
  EXPONENTIAL_EDGES,
  grayImage,
  histogram,
  linearEdges,
  prCurve,
  scalar,
  type SummaryValue,
} from '@lunastream/tensorboard';
import { pictureOfLayer } from './activation-pictures.ts';
import type { LoadedBatch } from '../supply/batch-loader.ts';
import type { Clock } from '../clock.ts';
import type { RunFolder } from './run-folder.ts';

/** The chapter's histograms of probabilities: 51 edges, and without those that are all but certain and right. */
const PROBABILITY_EDGES = linearEdges(0, 1, 50);
const CERTAIN_NEGATIVE = 0.01;
const CERTAIN_POSITIVE = 0.99;
/** Letters of the time in a run's name. */
const TIME_LENGTH = '2026-11-23_09.05.13'.length;

/** What a pass over a split gave, by ordinal. */
export interface PassScores {
  readonly summary: EpochSummary;
  readonly labels: Uint8Array;
  readonly probabilities: Float32Array;
}

/** What an epoch is shown by. */
export interface EpochForTensorboard {
  /** Training samples shown so far: the common axis of both splits. */
  readonly step: number;
  readonly trained: PassScores;
  readonly validated: PassScores | undefined;
  readonly engine: Pick<Engine, 'exportState' | 'exportGradients' | 'inspectSample'>;
}

export interface TensorboardLogOptions {
  readonly folder: RunFolder;
  readonly clock: Clock;
  readonly hostname: string;
  /** Ordinal of the validation sample whose activations are shown; undefined shows none. */
  readonly sample: number | undefined;
  readonly classNames: ClassNames;
  /** Samples that a resumed run has seen: what files say of later ones is to be forgotten. */
  readonly resumedAt?: number;
  /** Told what could not be written: no run ends for that. */
  readonly warn: (sentence: string) => void;
}

/** Event files of a run below its folder, one folder for each split, named as the chapter names its runs. */
export class TensorboardLog {
  readonly #writers: Readonly<Record<Split, EventWriter>>;
  readonly #options: TensorboardLogOptions;
  #voxelsHu: Float32Array | undefined;

  private constructor(writers: Readonly<Record<Split, EventWriter>>, options: TensorboardLogOptions) {
    this.#writers = writers;
    this.#options = options;
  }

  /** Undefined, with a warning, where the files cannot be made. */
  static async open(options: TensorboardLogOptions): Promise<TensorboardLog | undefined> {
    const { folder, clock, hostname, resumedAt, warn } = options;
    const name = basename(folder.path);
    const [time, comment] = [name.slice(0, TIME_LENGTH), name.slice(TIME_LENGTH + 1)];
    const open = (split: Split) =>
      EventWriter.create(join(folder.path, 'tensorboard', `${time}-${split}_cls-${comment}`), {
        hostname,
        nowMs: () => clock.now().getTime(),
        ...(resumedAt === undefined ? {} : { purgeStep: resumedAt + 1 }),
      });
    try {
      return new TensorboardLog({ trn: await open('trn'), val: await open('val') }, options);
    } catch (error) {
      warn(`Cannot write for TensorBoard: ${errorText(error)}`);
      return undefined;
    }
  }

  /** To call with every batch: keeps a copy of the sample that is looked at. */
  keepSample(split: Split, { batch, firstOrdinal }: LoadedBatch): void {
    const { sample } = this.#options;
    if (split !== 'val' || sample === undefined || this.#voxelsHu !== undefined) return;
    const position = sample - firstOrdinal;
    if (position < 0 || position >= batch.count) return;
    const size = batch.voxelsHu.length / batch.count;
    this.#voxelsHu = batch.voxelsHu.slice(position * size, (position + 1) * size);
  }

  /** Writes all that there is to say of an epoch. Never rejects. */
  async writeEpoch({ step, trained, validated, engine }: EpochForTensorboard): Promise<void> {
    try {
      const { trn, val } = this.#writers;
      const { classNames } = this.#options;
      trn.add(step, scoreValues(trained, classNames));
      trn.add(step, tensorHistograms('weights', parametersOf(await engine.exportState())));
      trn.add(step, tensorHistograms('gradients', await engine.exportGradients()));
      if (validated !== undefined) val.add(step, scoreValues(validated, classNames));
      if (this.#voxelsHu !== undefined) {
        val.add(step, activationValues(await engine.inspectSample(this.#voxelsHu)));
      }
      await Promise.all([trn.flush(), val.flush()]);
    } catch (error) {
      this.#options.warn(`Cannot write for TensorBoard: ${errorText(error)}`);
    }
  }
}

const percentCorrect = ({ correct, count }: ClassSummary) => (100 * correct) / count;

/** The chapter's tags; a score that is 0/0 is a NaN point, as there. */
function scoreValues(
  { summary, labels, probabilities }: PassScores,
  names: ClassNames,
): (SummaryValue | undefined)[] {
  const { all, negative, positive, precision, recall, f1 } = summary;
  const scalars: [string, number | undefined][] = [
    ['loss/all', all.loss],
    [`loss/${names.negative}`, negative.loss],
    [`loss/${names.positive}`, positive.loss],
    ['correct/all', percentCorrect(all)],
    [`correct/${names.negative}`, percentCorrect(negative)],
    [`correct/${names.positive}`, percentCorrect(positive)],
    ['pr/precision', precision],
    ['pr/recall', recall],
    ['pr/f1_score', f1],
  ];
  const kept = (label: number, isKept: (probability: number) => boolean) =>
    probabilities.filter((p, index) => Number.isFinite(p) && labels[index] === label && isKept(p));
  return [
    ...scalars.map(([tag, value]) => scalar(tag, value ?? Number.NaN)),
    prCurve('pr', { labels, probabilities }),
    histogram(
      `is_${names.negative}`,
      kept(0, (p) => p > CERTAIN_NEGATIVE),
      PROBABILITY_EDGES,
    ),
    histogram(
      `is_${names.positive}`,
      kept(1, (p) => p < CERTAIN_POSITIVE),
      PROBABILITY_EDGES,
    ),
  ];
}

/** A state holds also statistics and what the optimizer remembers. */
function parametersOf(state: readonly ModelTensor[]): ModelTensor[] {
  return state.filter(({ name }) => /\.(weight|bias)$/.test(name) && !name.startsWith('optimizer.'));
}

/** Of the finite values of each: a diverged model has none, and no histogram. */
function tensorHistograms(group: string, tensors: readonly ModelTensor[]): (SummaryValue | undefined)[] {
  return tensors.map(({ name, values }) =>
    histogram(`${group}/${name}`, values.filter(Number.isFinite), EXPONENTIAL_EDGES),
  );
}

/** A histogram of each layer, and a picture where it has planes. */
function activationValues(layers: readonly ModelTensor[]): (SummaryValue | undefined)[] {
  const pictures = layers
    .filter(({ shape }) => shape.length === 4)
    .map((layer) => grayImage(`activations/${layer.name}`, pictureOfLayer(layer)));
  return [...tensorHistograms('activations', layers), ...pictures];
}
