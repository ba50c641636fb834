import { describe, expect, it } from 'vitest';
import { pictureOfLayer } from './activation-pictures.ts';

describe('pictureOfLayer()', () => {
  it('tiles the middle slices, enlarged, from black to white', () => {
    // Three channels of 2 x 1 x 2 voxels; their second slices are 0 1, 2 3 and 4 NaN.
    const values = Float32Array.of(9, 9, 0, 1, 9, 9, 2, 3, 9, 9, 4, Number.NaN);
    const { width, height, pixels } = pictureOfLayer({ name: 'x', shape: [3, 2, 1, 2], values });
    // Zoom 24: tiles of 48 x 24 pixels and a pixel between them, two by two.
    expect([width, height]).toEqual([97, 49]);
    const at = (x: number, y: number) => pixels[y * width + x];
    expect([at(0, 0), at(23, 23), at(24, 0), at(49, 0), at(73, 0)]).toEqual([0, 0, 64, 128, 191]);
    expect([at(0, 25), at(24, 25)]).toEqual([255, 0]);
    expect([at(48, 0), at(0, 24), at(96, 48)]).toEqual([255, 255, 255]);
  });

  it('of a layer that is the same everywhere is black', () => {
    const { pixels } = pictureOfLayer({
      name: 'x',
      shape: [1, 1, 48, 48],
      values: new Float32Array(48 * 48),
    });
    expect(new Set(pixels)).toEqual(new Set([0]));
  });
});
