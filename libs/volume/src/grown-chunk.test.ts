import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { irc, voxelCount, xyzMm, type Shape } from './coordinates.ts';
import { AIR_HU, chunkWindow, cropChunk, extractBox } from './crop-chunk.ts';
import { IDENTITY_DIRECTION } from './geometry.ts';
import { grownWindow, readGrownChunk } from './grown-chunk.ts';
import type { Volume, VolumeReader } from './volume.ts';

const axis = fc.integer({ min: 1, max: 12 });
const shapes = fc.record({ depth: axis, height: axis, width: axis });
const margin = fc.integer({ min: 0, max: 5 }).map((half) => 2 * half);

/** A volume whose voxels are all different, and a reader of it. */
function volumeOf(shape: Shape): { volume: Volume; reader: VolumeReader } {
  const geometry = {
    shape,
    originXyzMm: xyzMm(0, 0, 0),
    spacingXyzMm: xyzMm(1, 1, 1),
    direction: IDENTITY_DIRECTION,
  };
  const voxelsHu = Int16Array.from({ length: voxelCount(shape) }, (_, voxel) => voxel % 900);
  const reader: VolumeReader = {
    path: 'a.mhd',
    geometry,
    revision: '',
    residentBytes: 0,
    readWindow: (start, extent) => Promise.resolve(extractBox({ voxels: voxelsHu, shape }, start, extent)),
    close: () => Promise.resolve(),
  };
  return { volume: { geometry, voxelsHu }, reader };
}

/** A volume's shape, a voxel of it, and an extent. */
const cases = fc
  .record({
    of: shapes,
    shape: shapes,
    margins: fc.tuple(margin, margin, margin),
    at: fc.tuple(fc.nat(), fc.nat(), fc.nat()),
  })
  .map(({ of, shape, margins, at }) => ({
    of,
    center: irc(at[0] % of.depth, at[1] % of.height, at[2] % of.width),
    extent: {
      shape,
      grownShape: {
        depth: shape.depth + margins[0],
        height: shape.height + margins[1],
        width: shape.width + margins[2],
      },
    },
  }));

describe('readGrownChunk()', () => {
  it('has the chunk in its middle, wherever the border of the scan is', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ of, center, extent }) => {
        const { volume, reader } = volumeOf(of);
        const { shape, grownShape } = extent;
        const grown = await readGrownChunk(reader, center, extent);
        expect(grown).toHaveLength(voxelCount(grownShape));
        const margins = (['depth', 'height', 'width'] as const).map(
          (side) => (grownShape[side] - shape[side]) / 2,
        );
        const middle = extractBox(
          { voxels: grown, shape: grownShape },
          irc(margins[0]!, margins[1]!, margins[2]!),
          shape,
        );
        expect(middle).toEqual(cropChunk(volume, center, shape));
      }),
    ));

  it('shows the scan where there is one; beyond it the nearest voxel, but air where the chunk itself has air', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ of, center, extent }) => {
        const { volume, reader } = volumeOf(of);
        const { shape, grownShape } = extent;
        const { startIrc: chunkStart } = chunkWindow(of, center, shape);
        const { startIrc } = grownWindow(of, center, extent);
        const grown = await readGrownChunk(reader, center, extent);
        /** Nearest place of scan or chunk on an axis. */
        const nearest = (place: number, axis: 0 | 1 | 2, chunkExtent: number, volumeExtent: number) =>
          Math.min(
            Math.max(volumeExtent, chunkStart[axis] + chunkExtent) - 1,
            Math.max(Math.min(0, chunkStart[axis]), place),
          );
        grown.forEach((hu, voxel) => {
          const slice = startIrc[0] + Math.floor(voxel / (grownShape.height * grownShape.width));
          const row = startIrc[1] + (Math.floor(voxel / grownShape.width) % grownShape.height);
          const column = startIrc[2] + (voxel % grownShape.width);
          const [i, r, c] = [
            nearest(slice, 0, shape.depth, of.depth),
            nearest(row, 1, shape.height, of.height),
            nearest(column, 2, shape.width, of.width),
          ];
          const isInside = i >= 0 && i < of.depth && r >= 0 && r < of.height && c >= 0 && c < of.width;
          expect(hu).toBe(isInside ? volume.voxelsHu[(i * of.height + r) * of.width + c] : AIR_HU);
        });
      }),
      { numRuns: 60 },
    ));
});

describe('grownWindow()', () => {
  const of = { depth: 9, height: 9, width: 9 };
  const shape = { depth: 4, height: 4, width: 4 };

  it('is the window of the chunk when nothing grows', () => {
    expect(grownWindow(of, irc(0, 4, 8), { shape, grownShape: shape })).toEqual(
      chunkWindow(of, irc(0, 4, 8), shape),
    );
  });

  it('grows from the window of the border rule', () => {
    const grownShape = { depth: 6, height: 8, width: 4 };
    const extent = { shape, grownShape, border: 'pad-air' } as const;
    const { startIrc, insideStartIrc, insideShape } = grownWindow(of, irc(0, 4, 8), extent);
    // Unshifted the chunk starts at -2, 2, 6; it grows by 1, 2 and 0.
    expect(startIrc).toEqual([-3, 0, 6]);
    expect(insideStartIrc).toEqual([0, 0, 6]);
    expect(insideShape).toEqual({ depth: 3, height: 8, width: 3 });
  });

  it.each([
    ['smaller', { ...shape, width: 2 }],
    ['larger by an odd number', { ...shape, width: 7 }],
  ])('refuses to grow to what is %s', (_, grownShape) => {
    expect(() => grownWindow(of, irc(4, 4, 4), { shape, grownShape })).toThrow(
      `its shape must be 4x4x4 or larger by even numbers of voxels, got 4x4x${grownShape.width}`,
    );
  });
});
