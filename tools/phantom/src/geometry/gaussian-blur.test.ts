import { describe, expect, it } from 'vitest';
import { blurInPlace } from './gaussian-blur.ts';

const SHAPE = { depth: 21, height: 23, width: 25 };
const MIDDLE = (10 * SHAPE.height + 11) * SHAPE.width + 12;

describe('blurInPlace()', () => {
  it('spreads a point with the variance asked for along each axis, and keeps its sum', () => {
    const voxels = new Float32Array(SHAPE.depth * SHAPE.height * SHAPE.width);
    voxels[MIDDLE] = 1;
    const sigmas = [1, 1.5, 2] as const;
    blurInPlace(voxels, SHAPE, sigmas);
    const variance = [0, 0, 0];
    let sum = 0;
    voxels.forEach((value, offset) => {
      const slice = SHAPE.height * SHAPE.width;
      const row = Math.floor(offset / SHAPE.width) % SHAPE.height;
      sum += value;
      variance[0]! += value * (Math.floor(offset / slice) - 10) ** 2;
      variance[1]! += value * (row - 11) ** 2;
      variance[2]! += value * ((offset % SHAPE.width) - 12) ** 2;
    });
    expect(sum).toBeCloseTo(1, 5);
    // Cutting the kernel at three sigma takes 3 % off the variance.
    sigmas.forEach((sigma, axis) => expect(variance[axis]! / sigma ** 2).toBeCloseTo(0.98, 1));
  });

  it('leaves a constant image as it is, up to the border', () => {
    const voxels = new Float32Array(SHAPE.depth * SHAPE.height * SHAPE.width).fill(-850);
    blurInPlace(voxels, SHAPE, [1, 2, 3]);
    expect(voxels.every((value) => Math.abs(value + 850) < 0.01)).toBe(true);
  });

  it('does nothing along an axis of sigma 0', () => {
    const voxels = new Float32Array(SHAPE.depth * SHAPE.height * SHAPE.width);
    voxels[MIDDLE] = 1;
    blurInPlace(voxels, SHAPE, [0, 0, 0]);
    expect(voxels[MIDDLE]).toBe(1);
  });
});
