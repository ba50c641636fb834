import { formatShape, type Shape } from '@lunastream/volume';
import { PhantomSettingsError } from './errors.ts';

export type PhantomBackground = 'synthetic' | 'real';

/** What decides every byte of a data set, after defaults. Equal settings and version give equal files. */
export interface PhantomSettings {
  readonly background: PhantomBackground;
  /** Unsigned 32-bit integer. */
  readonly seed: number;
  readonly scanCount: number;
  readonly nodulesPerScan: number;
  /** Negative candidates per positive one. Default 40. */
  readonly negativesPerNodule: number;
  /** Of synthetic scans, in voxels; default 96x160x160. Undefined for `real`, where the CT has its shape. */
  readonly shape?: Shape;
  /** Also writes annotations_with_malignancy.csv; absent for no. */
  readonly malignancy?: true;
}

/** Settings as a caller gives them. */
export interface RawPhantomSettings {
  readonly background: PhantomBackground;
  readonly seed: number;
  readonly scanCount: number;
  readonly nodulesPerScan: number;
  readonly negativesPerNodule?: number | undefined;
  readonly shape?: Shape | undefined;
  readonly malignancy?: boolean | undefined;
}

export const DEFAULT_NEGATIVES_PER_NODULE = 40;
export const DEFAULT_SYNTHETIC_SHAPE: Shape = { depth: 96, height: 160, width: 160 };

const MAX_SEED = 2 ** 32 - 1;
const BACKGROUNDS: readonly string[] = ['synthetic', 'real'];
// A view narrower than this shows too little lung for a nodule of 30 mm; a wider one no scanner makes.
const MIN_SHAPE: Shape = { depth: 32, height: 96, width: 96 };
const MAX_EXTENT = 1024;

function rangeFault(name: string, value: number, [low, high]: readonly [number, number]): string | undefined {
  const isGood = Number.isInteger(value) && value >= low && value <= high;
  return isGood ? undefined : `${name} must be an integer in ${low}..${high}, got ${value}`;
}

function shapeFaults(raw: RawPhantomSettings): (string | undefined)[] {
  const { shape } = raw;
  if (shape === undefined) return [];
  if (raw.background === 'real') {
    return [`shape must be left out with background real, whose CTs have theirs, got ${formatShape(shape)}`];
  }
  return (['depth', 'height', 'width'] as const).map((side) =>
    rangeFault(`shape.${side}`, shape[side], [MIN_SHAPE[side], MAX_EXTENT]),
  );
}

/**
 * Checks `raw` and fills in defaults.
 * @throws PhantomSettingsError listing every fault; nothing is clamped.
 */
export function compilePhantomSettings(raw: RawPhantomSettings): PhantomSettings {
  const negativesPerNodule = raw.negativesPerNodule ?? DEFAULT_NEGATIVES_PER_NODULE;
  const faults = [
    BACKGROUNDS.includes(raw.background)
      ? undefined
      : `background must be synthetic or real, got ${String(raw.background)}`,
    rangeFault('seed', raw.seed, [0, MAX_SEED]),
    rangeFault('scanCount', raw.scanCount, [1, 10_000]),
    rangeFault('nodulesPerScan', raw.nodulesPerScan, [1, 200]),
    rangeFault('negativesPerNodule', negativesPerNodule, [1, 1000]),
    ...shapeFaults(raw),
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new PhantomSettingsError(faults);
  const { background, seed, scanCount, nodulesPerScan } = raw;
  const malignancy = raw.malignancy === true ? { malignancy: true as const } : {};
  const settings = { background, seed, scanCount, nodulesPerScan, negativesPerNodule, ...malignancy };
  if (background === 'real') return settings;
  const { depth, height, width } = raw.shape ?? DEFAULT_SYNTHETIC_SHAPE;
  return { ...settings, shape: { depth, height, width } };
}
