import { describe, expect, it } from 'vitest';
import { connectedRegions } from './connected-regions.ts';

describe('connectedRegions()', () => {
  // Two slices of 3x4. Diagonal neighbours do not connect; the same place in the next slice does.
  const shape = { depth: 2, height: 3, width: 4 };
  const mask = Uint8Array.from([
    ...[1, 1, 0, 0],
    ...[0, 0, 1, 0],
    ...[0, 0, 0, 0],
    ...[0, 1, 0, 0],
    ...[0, 0, 0, 0],
    ...[0, 0, 0, 1],
  ]);
  const { labels, regions } = connectedRegions(mask, shape);

  it('joins by faces only, and sorts by size', () => {
    expect(regions.map(({ voxelCount }) => voxelCount)).toEqual([3, 1, 1]);
  });

  it('labels every voxel of a region alike and leaves 0 elsewhere', () => {
    expect(labels[0]).toBe(labels[1]);
    expect(labels[1]).toBe(labels[13]);
    expect(labels[6]).not.toBe(labels[1]);
    expect(labels[2]).toBe(0);
  });

  it('tells which regions touch a corner edge and which span all slices', () => {
    expect(regions[0]).toMatchObject({ spansDepth: true, touchesCornerEdge: true });
    const inner = regions.find(({ label }) => label === labels[6]);
    expect(inner).toMatchObject({ spansDepth: false, touchesCornerEdge: false });
  });
});
