import { RandomPurpose, RandomStream } from '@lunastream/random';
import { voxelCount, type Shape } from '@lunastream/volume';
import { ELASTIC_SPACING_VOXELS } from './augmentation-settings.ts';
import type { SampleTransform } from './sample-transform.ts';

/** Control points of a cubic B-spline that reach each voxel: one before it, two after it, and its own. */
const SUPPORT = 4;
const AXES = 3;

/** Displacements at the control points of a coarse grid over the sample, a spacing of 16 voxels apart. */
export interface ElasticGrid {
  readonly shape: Shape;
  /** In voxels, C order [axis (x, y, z), slice, row, column]; the first point lies a spacing before the first voxel. */
  readonly controls: Float32Array;
}

/**
 * Draws the control points of a transform over a sample of `shape`: uniform in ±elasticVoxels per axis, from the stream
 * `elastic` of its key. B-splines are weighted means of their control points, so no displacement is larger.
 */
export function drawElasticGrid({ elasticVoxels, key }: SampleTransform, shape: Shape): ElasticGrid {
  const points = (voxels: number) => Math.floor((voxels - 1) / ELASTIC_SPACING_VOXELS) + SUPPORT;
  const grid = { depth: points(shape.depth), height: points(shape.height), width: points(shape.width) };
  const stream = new RandomStream({ ...key, purpose: RandomPurpose.elastic });
  const controls = Float32Array.from({ length: AXES * voxelCount(grid) }, () =>
    stream.uniformBetween(-elasticVoxels, elasticVoxels),
  );
  return { shape: grid, controls };
}
