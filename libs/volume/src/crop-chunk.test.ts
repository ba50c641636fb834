import { readGolden } from '@lunastream/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { irc, voxelCount, xyzMm, type Irc, type Shape } from './coordinates.ts';
import { AIR_HU, chunkWindow, cropChunk } from './crop-chunk.ts';
import { IDENTITY_DIRECTION } from './geometry.ts';
import type { Volume } from './volume.ts';

type Triple = [number, number, number];
interface GoldenCrop {
  readonly ct_shape_irc: Triple;
  readonly center_irc: Triple;
  readonly width_irc: Triple;
  readonly start_end_irc?: [Triple, Triple, Triple];
  readonly book_shape_wrong?: boolean;
}

const toShape = ([depth, height, width]: Triple): Shape => ({ depth, height, width });

function volumeOf(shape: Shape, hu: (offset: number) => number): Volume {
  return {
    geometry: {
      shape,
      originXyzMm: xyzMm(0, 0, 0),
      spacingXyzMm: xyzMm(1, 1, 1),
      direction: IDENTITY_DIRECTION,
    },
    voxelsHu: Int16Array.from({ length: voxelCount(shape) }, (_, offset) => hu(offset)),
  };
}

/** The same chunk voxel by voxel, from the window's definition alone. */
function referenceChunk({ geometry: { shape }, voxelsHu }: Volume, start: Irc, chunkShape: Shape): number[] {
  const chunk: number[] = [];
  for (let i = start[0]; i < start[0] + chunkShape.depth; i++) {
    for (let r = start[1]; r < start[1] + chunkShape.height; r++) {
      for (let c = start[2]; c < start[2] + chunkShape.width; c++) {
        const isInside = i >= 0 && r >= 0 && c >= 0 && i < shape.depth && r < shape.height && c < shape.width;
        const hu = isInside ? voxelsHu[(i * shape.height + r) * shape.width + c]! : -1000;
        chunk.push(Math.max(-1000, Math.min(1000, hu)));
      }
    }
  }
  return chunk;
}

const extent = fc.integer({ min: 1, max: 9 });
const shapes = fc.record({ depth: extent, height: extent, width: extent });
const crops = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    chunkShape: shapes,
    center: fc.tuple(fc.nat(shape.depth - 1), fc.nat(shape.height - 1), fc.nat(shape.width - 1)),
  }),
);

describe('chunkWindow()', () => {
  const { crop } = readGolden<{ crop: GoldenCrop[] }>('geometry');
  const windows = crop.filter((golden) => golden.start_end_irc && golden.book_shape_wrong !== true);
  const refused = crop.filter((golden) => golden.start_end_irc === undefined);

  it('has golden windows and golden refusals to be compared with', () => {
    expect([windows.length, refused.length]).toEqual([10, 2]);
  });

  it.each(windows)('starts where the book starts: $center_irc in $ct_shape_irc, $width_irc', (golden) => {
    const window = chunkWindow(
      toShape(golden.ct_shape_irc),
      irc(...golden.center_irc),
      toShape(golden.width_irc),
    );
    expect(window.startIrc).toEqual(golden.start_end_irc!.map(([start]) => start));
    expect(window.insideStartIrc).toEqual(window.startIrc);
    expect(window.insideShape).toEqual(toShape(golden.width_irc));
  });

  it.each(refused)('refuses the centre $center_irc outside $ct_shape_irc', (golden) => {
    expect(() =>
      chunkWindow(toShape(golden.ct_shape_irc), irc(...golden.center_irc), toShape(golden.width_irc)),
    ).toThrow(
      /its centre must lie inside the volume of 100x200x200 voxels, got index -?\d+, row -?\d+, column 0/,
    );
  });

  it('centres a thin volume in the chunk, the odd voxel of padding behind', () => {
    const window = chunkWindow({ depth: 11, height: 200, width: 47 }, irc(3, 100, 20), {
      depth: 32,
      height: 48,
      width: 48,
    });
    expect(window.startIrc).toEqual([-10, 76, 0]);
    expect(window.insideStartIrc).toEqual([0, 76, 0]);
    expect(window.insideShape).toEqual({ depth: 11, height: 48, width: 47 });
  });

  it('contains the centre (from two voxels on), and leaves the volume only on thin axes', () => {
    fc.assert(
      fc.property(crops, ({ shape, chunkShape, center }) => {
        const { startIrc } = chunkWindow(shape, irc(...center), chunkShape);
        const axes = [
          [chunkShape.depth, shape.depth],
          [chunkShape.height, shape.height],
          [chunkShape.width, shape.width],
        ] as const;
        axes.forEach(([chunkExtent, volumeExtent], axis) => {
          const start = startIrc[axis]!;
          // round(centre - 1/2) of an odd centre is centre - 1: a chunk of one voxel can miss it, as the book's does.
          if (chunkExtent > 1) {
            expect(center[axis]).toBeGreaterThanOrEqual(start);
            expect(center[axis]).toBeLessThan(start + chunkExtent);
          }
          const isInside = start >= 0 && start + chunkExtent <= volumeExtent;
          expect(isInside).toBe(chunkExtent <= volumeExtent);
        });
      }),
    );
  });

  it('refuses a chunk shape that no chunk has', () => {
    const volumeShape = { depth: 9, height: 9, width: 9 };
    for (const depth of [0, -1, 1.5, Number.NaN]) {
      expect(() => chunkWindow(volumeShape, irc(0, 0, 0), { ...volumeShape, depth })).toThrow(
        `its shape must be three positive integers, got ${depth}x9x9`,
      );
    }
  });
});

describe('cropChunk()', () => {
  it('is the clipped window, with air around thin volumes', () => {
    fc.assert(
      fc.property(crops, ({ shape, chunkShape, center }) => {
        const volume = volumeOf(shape, (offset) => ((offset * 7919) % 5000) - 2500);
        const { startIrc } = chunkWindow(shape, irc(...center), chunkShape);
        const chunk = cropChunk(volume, irc(...center), chunkShape);
        expect([...chunk]).toEqual(referenceChunk(volume, startIrc, chunkShape));
      }),
    );
  });

  it('clips to -1000..1000 and leaves the volume as it was', () => {
    const shape = { depth: 1, height: 1, width: 4 };
    const volume = volumeOf(shape, (offset) => [-3024, -1000, 1000, 3071][offset]!);
    expect([...cropChunk(volume, irc(0, 0, 0), shape)]).toEqual([-1000, -1000, 1000, 1000]);
    expect([...volume.voxelsHu]).toEqual([-3024, -1000, 1000, 3071]);
  });

  it('never wraps around a thin volume as the book does: 20 slices stay 20 slices in a chunk of 32', () => {
    const chunkShape = { depth: 32, height: 48, width: 48 };
    const volume = volumeOf({ depth: 20, height: 60, width: 60 }, () => 40);
    const chunk = cropChunk(volume, irc(10, 30, 30), chunkShape);
    expect(chunk.length).toBe(voxelCount(chunkShape));
    const slices = Array.from({ length: 32 }, (_, slice) => chunk[slice * 48 * 48]!);
    expect(slices).toEqual([
      ...Array.from({ length: 6 }, () => AIR_HU),
      ...Array.from({ length: 20 }, () => 40),
      ...Array.from({ length: 6 }, () => AIR_HU),
    ]);
  });
});

describe('the border rule pad-air', () => {
  it('keeps the centre in the middle and fills what lies beyond the volume with air', () => {
    fc.assert(
      fc.property(crops, ({ shape, chunkShape, center }) => {
        const volume = volumeOf(shape, (offset) => ((offset * 7919) % 5000) - 2500);
        const { startIrc } = chunkWindow(shape, irc(...center), chunkShape, 'pad-air');
        const extents = [chunkShape.depth, chunkShape.height, chunkShape.width];
        // Half an odd chunk lies between two voxels: the start goes to the even one.
        startIrc.forEach((start, axis) =>
          expect(Math.abs(start - (center[axis]! - extents[axis]! / 2))).toBeLessThanOrEqual(0.5),
        );
        const chunk = cropChunk(volume, irc(...center), chunkShape, 'pad-air');
        expect([...chunk]).toEqual(referenceChunk(volume, startIrc, chunkShape));
      }),
    );
  });

  it('equals shift wherever the chunk lies inside', () => {
    const volume = volumeOf({ depth: 9, height: 9, width: 9 }, (offset) => offset);
    const chunkShape = { depth: 4, height: 4, width: 4 };
    const inside = [irc(4, 4, 4), chunkShape] as const;
    expect(cropChunk(volume, ...inside, 'pad-air')).toEqual(cropChunk(volume, ...inside));
    const corner = [irc(0, 0, 8), chunkShape] as const;
    expect([...cropChunk(volume, ...corner, 'pad-air')].filter((hu) => hu === AIR_HU).length).toBe(
      64 - 2 * 2 * 3,
    );
    expect([...cropChunk(volume, ...corner)]).not.toContain(AIR_HU);
  });
});
