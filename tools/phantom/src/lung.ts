import type { RandomStream } from '@lunastream/random';
import type { Vector } from './geometry/vector.ts';

/** Where nodules and look-alikes may lie. Segmented on a real CT, a formula in a synthetic one. */
export interface Lung {
  /** Distance in mm from `point` to the edge of the lung when inside; 0 or less outside. */
  depthMm(point: Vector): number;
  /** A point uniform in the part of the lung that the scan shows. */
  samplePoint(random: RandomStream): Vector;
}
