import type { RandomStream } from '@lunastream/random';
import { distance, type Vector } from './geometry/vector.ts';

/** What a negative candidate shows. The first five exist in any lung; the others are drawn into synthetic ones. */
export type LookAlikeKind =
  | 'vessel'
  | 'bifurcation'
  | 'airway'
  | 'pleura'
  | 'parenchyma'
  | 'crossing'
  | 'stub'
  | 'pleural-bump'
  | 'scar-band';

export interface LookAlike {
  readonly kind: LookAlikeKind;
  readonly centre: Vector;
}

/** A ball that no look-alike's centre may lie in. */
export interface KeepOut {
  readonly centre: Vector;
  readonly radiusMm: number;
}

export interface LookAlikeRequest {
  readonly count: number;
  /** Around nodules. */
  readonly keepOut: readonly KeepOut[];
  readonly random: RandomStream;
}

/** Two candidates of a scan are at least this far apart, as after LUNA16's merging of near candidates. */
export const CANDIDATE_GAP_MM = 2.5;
const CELL_MM = 8;

/**
 * The points taken so far, in cells, so that asking whether a new one keeps its distance does not slow down as they
 * become many.
 */
export class SpacedPoints {
  readonly #cells = new Map<string, Vector[]>();
  readonly #keepOut: readonly KeepOut[];
  readonly #gapMm: number;

  constructor(keepOut: readonly KeepOut[], gapMm: number) {
    if (gapMm > CELL_MM) {
      throw new RangeError(`internal: the gap must be at most ${CELL_MM} mm, got ${gapMm}`);
    }
    this.#keepOut = keepOut;
    this.#gapMm = gapMm;
  }

  /** Takes `point` unless it lies in a keep-out ball or too near to one taken before; says whether it was taken. */
  tryAdd(point: Vector): boolean {
    if (this.#keepOut.some((ball) => distance(ball.centre, point) < ball.radiusMm)) return false;
    const [x, y, z] = point.map((value) => Math.floor(value / CELL_MM)) as [number, number, number];
    for (let i = x - 1; i <= x + 1; i++) {
      for (let j = y - 1; j <= y + 1; j++) {
        for (let k = z - 1; k <= z + 1; k++) {
          const near = this.#cells.get(`${i},${j},${k}`) ?? [];
          if (near.some((other) => distance(other, point) < this.#gapMm)) return false;
        }
      }
    }
    const key = `${x},${y},${z}`;
    this.#cells.set(key, [...(this.#cells.get(key) ?? []), point]);
    return true;
  }
}

/** Draws points of one kind; undefined when it has no more. */
export interface LookAlikeSource {
  readonly kind: LookAlikeKind;
  /** Share of the candidates it should give; the shares of a list add up to 1. */
  readonly share: number;
  next(random: RandomStream): Vector | undefined;
}

/** A source that gives `points` once each, in random order. */
export function pointSource(kind: LookAlikeKind, share: number, points: readonly Vector[]): LookAlikeSource {
  let order: Vector[] | undefined;
  return {
    kind,
    share,
    next(random) {
      order ??= random.shuffle([...points]);
      return order.pop();
    },
  };
}

const MISSES_BEFORE_GIVING_UP = 2000;

function takeFrom(
  source: LookAlikeSource,
  count: number,
  taken: SpacedPoints,
  random: RandomStream,
): LookAlike[] {
  const found: LookAlike[] = [];
  for (let misses = 0; found.length < count && misses < MISSES_BEFORE_GIVING_UP;) {
    const centre = source.next(random);
    if (centre === undefined) break;
    if (taken.tryAdd(centre)) found.push({ kind: source.kind, centre });
    else misses++;
  }
  return found;
}

/**
 * Draws exactly `request.count` look-alikes from `sources` by their shares; what one source lacks the others
 * give, the first of the list first. Returns fewer only when all are empty.
 */
export function drawLookAlikes(sources: readonly LookAlikeSource[], request: LookAlikeRequest): LookAlike[] {
  const taken = new SpacedPoints(request.keepOut, CANDIDATE_GAP_MM);
  const found = sources.flatMap((source) =>
    takeFrom(source, Math.floor(source.share * request.count), taken, request.random),
  );
  for (const source of sources) {
    found.push(...takeFrom(source, request.count - found.length, taken, request.random));
  }
  return found;
}
