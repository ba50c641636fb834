import type { RandomStream } from '@lunastream/random';
import { continuousIrc, ircToXyz, type VolumeGeometry } from '@lunastream/volume';
import type { ChestAnatomy } from './chest-anatomy.ts';
import type { Lung } from '../lung.ts';
import { normalised, subtract, type Vector } from '../geometry/vector.ts';

const GRADIENT_STEP_MM = 1.5;
// Every view shows lung in a tenth of its voxels and more; this many misses in a row cannot be chance.
const MAX_MISSES = 10_000;

/** The lungs of a synthetic chest, as far as a scan shows them. */
export class SyntheticLung implements Lung {
  readonly #anatomy: ChestAnatomy;
  readonly #geometry: VolumeGeometry;
  readonly #chestOrigin: Vector;

  /** @param chestOrigin where in patient coordinates the middle of the chest lies. */
  constructor(anatomy: ChestAnatomy, geometry: VolumeGeometry, chestOrigin: Vector) {
    this.#anatomy = anatomy;
    this.#geometry = geometry;
    this.#chestOrigin = chestOrigin;
  }

  get parenchymaHu(): number {
    return this.#anatomy.variant.parenchymaHu;
  }

  depthMm(point: Vector): number {
    return this.#anatomy.lungDepthMm(...subtract(point, this.#chestOrigin));
  }

  samplePoint(random: RandomStream): Vector {
    const { depth, height, width } = this.#geometry.shape;
    for (let misses = 0; misses < MAX_MISSES; misses++) {
      const index = random.uniformBetween(0, depth - 1);
      const row = random.uniformBetween(0, height - 1);
      const column = random.uniformBetween(0, width - 1);
      const point = ircToXyz(this.#geometry, continuousIrc(index, row, column));
      if (this.depthMm(point) > 0) return point;
    }
    throw new Error('internal: a synthetic scan must show a lung, found none');
  }

  /** The unit direction from the nearest pleura into the lung. */
  inward([x, y, z]: Vector): Vector {
    const step = GRADIENT_STEP_MM;
    return normalised([
      this.depthMm([x + step, y, z]) - this.depthMm([x - step, y, z]),
      this.depthMm([x, y + step, z]) - this.depthMm([x, y - step, z]),
      this.depthMm([x, y, z + step]) - this.depthMm([x, y, z - step]),
    ]);
  }
}
