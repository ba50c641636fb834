import {
  applyTransform,
  NO_AUGMENTATION,
  sampleTransform,
  type AugmentationSettings,
  type SampleTransform,
} from '@lunastream/augmentation';
import type { Shape } from '@lunastream/volume';
import { middleSlice } from '../local-dataset.ts';
import type { ChunkFigure, FigurePanel } from './chunk-figure.ts';

/** Draws of all transforms together. */
const COMBINED_DRAWS = 3;
const COLUMNS = 3;
/** Draws are keyed as those of a run's first epoch. */
export const PREVIEW_EPOCH = 1;

/** Each transform of the chapter alone, at the strength it has in `settings`. */
function singleSettings(settings: AugmentationSettings): readonly [string, AugmentationSettings][] {
  return [
    ['flip', { ...NO_AUGMENTATION, flip: settings.flip }],
    ['offset', { ...NO_AUGMENTATION, offset: settings.offset }],
    ['scale', { ...NO_AUGMENTATION, scale: settings.scale }],
    ['rotate', { ...NO_AUGMENTATION, rotate: settings.rotate }],
    ['noise', { ...NO_AUGMENTATION, noiseHu: settings.noiseHu }],
  ];
}

/** A chunk to draw samples of: `sourceShape` is `sampleShape`, or larger by the margin. */
export interface PicturedChunk {
  readonly title: string;
  readonly voxelsHu: Int16Array;
  readonly sourceShape: Shape;
  readonly sampleShape: Shape;
}

/**
 * The book's figure of augmentations for one candidate: its middle slice as it is, under each transform alone, and under
 * all of them in three draws. Draws are keyed by `seed`, so the figure can be made again.
 */
export function augmentationFigure(
  { title, voxelsHu, sourceShape, sampleShape }: PicturedChunk,
  options: {
    readonly settings: AugmentationSettings;
    readonly seed: number;
    /** Of the single transforms and the first of the combined draws; the others follow. */
    readonly firstOrdinal: number;
  },
): ChunkFigure {
  const { settings, seed, firstOrdinal } = options;
  const panel = (name: string, used: AugmentationSettings, draw = 0): FigurePanel => {
    const ordinal = firstOrdinal + draw;
    const transform = sampleTransform(used, { runSeed: seed, epoch: PREVIEW_EPOCH, ordinal });
    const sample = applyTransform(voxelsHu, sourceShape, transform, sampleShape);
    return {
      title: name,
      caption: describeTransform(transform),
      sliceHu: middleSlice(sample, sampleShape),
      height: sampleShape.height,
      width: sampleShape.width,
    };
  };
  return {
    title,
    columns: COLUMNS,
    panels: [
      panel('original', NO_AUGMENTATION),
      ...singleSettings(settings).map(([name, single]) => panel(name, single)),
      ...Array.from({ length: COMBINED_DRAWS }, (_, draw) => panel(`all, draw ${draw + 1}`, settings, draw)),
    ],
  };
}

/** What a transform does, in short: only what differs from leaving the chunk as it is. */
export function describeTransform(transform: SampleTransform): string {
  const { flip, offset, scale, angleRadians, elasticVoxels, huGain, huShift, noiseHu, mixupLambda } =
    transform;
  const axes = ['x', 'y', 'z'];
  const flipped = axes.filter((_, axis) => flip[axis]).join('');
  const perAxis = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(' ');
  const parts = [
    flipped === '' ? '' : `flip ${flipped}`,
    offset.some((value) => value !== 0) ? `offset ${perAxis(offset)}` : '',
    scale.some((value) => value !== 1) ? `scale ${perAxis(scale)}` : '',
    angleRadians === 0 ? '' : `turn ${((angleRadians * 180) / Math.PI).toFixed(0)}°`,
    elasticVoxels === 0 ? '' : `elastic ${elasticVoxels} voxels`,
    huGain === 1 ? '' : `contrast ${huGain.toFixed(2)}`,
    huShift === 0 ? '' : `shift ${huShift.toFixed(0)} HU`,
    noiseHu === 0 ? '' : `noise ${noiseHu} HU`,
    mixupLambda === 1 ? '' : `weight ${mixupLambda.toFixed(2)} if mixed`,
  ];
  return parts.filter((part) => part !== '').join(', ') || 'unchanged';
}
