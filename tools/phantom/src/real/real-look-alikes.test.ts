import { xyzMm, type Volume } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { drawTube } from '../synthetic/draw-tube.ts';
import { MaskLung } from './lung-mask.ts';
import { findLookAlikes } from './real-look-alikes.ts';
import { distance, type Vector } from '../geometry/vector.ts';

const SIZE = 64;
const shape = { depth: SIZE, height: SIZE, width: SIZE };
const volume: Volume = {
  geometry: {
    shape,
    originXyzMm: xyzMm(0, 0, 0),
    spacingXyzMm: xyzMm(1, 1, 1),
    direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  },
  voxelsHu: new Int16Array(SIZE ** 3).fill(-850),
};
const tube = (from: Vector, to: Vector, radiusMm: number, mode: 'brighten' | 'replace', tissueHu: number) =>
  drawTube(
    volume,
    { from, to, fromRadiusMm: radiusMm, toRadiusMm: radiusMm },
    { tissueHu, surroundingHu: -850, mode },
  );
const CROSSING: Vector = [32, 20, 20];
// A vessel that bulges at one place, three that meet, and a bronchus.
tube([10, 45, 45], [54, 45, 45], 1.5, 'brighten', 40);
tube([30, 45, 45], [34, 45, 45], 1.8, 'brighten', 40);
tube([20, 20, 20], [44, 20, 20], 2, 'brighten', 40);
tube([32, 8, 20], [32, 32, 20], 2, 'brighten', 40);
tube([32, 20, 8], [32, 20, 32], 2, 'brighten', 40);
tube([48, 12, 48], [48, 30, 48], 3, 'brighten', -50);
tube([48, 12, 48], [48, 30, 48], 2, 'replace', -1000);

const mask = new Uint8Array(SIZE ** 3);
for (let index = 1; index < SIZE - 1; index++) {
  for (let row = 1; row < SIZE - 1; row++)
    mask.fill(1, (index * SIZE + row) * SIZE + 1, (index * SIZE + row) * SIZE + 63);
}
const lung = MaskLung.fromMask(volume.geometry, { box: { start: [0, 0, 0], shape }, mask });
const findings = findLookAlikes(volume, lung);
const nearest = (points: readonly Vector[], to: Vector) =>
  Math.min(...points.map((point) => distance(point, to)));

describe('findLookAlikes()', () => {
  it('finds the crossing as a bifurcation and not as a plain vessel', () => {
    expect(nearest(findings.bifurcations, CROSSING)).toBeLessThan(2);
    expect(nearest(findings.vessels, CROSSING)).toBeGreaterThan(4);
  });

  it('finds the bulge on a straight vessel as a vessel', () => {
    expect(nearest(findings.vessels, [32, 45, 45])).toBeLessThan(3);
  });

  it('puts every vessel and bifurcation on something bright', () => {
    for (const [x, y, z] of [...findings.vessels, ...findings.bifurcations]) {
      expect(volume.voxelsHu[(z * SIZE + y) * SIZE + x]).toBeGreaterThan(-500);
    }
  });

  it('finds pleura only near the edge of the lung', () => {
    expect(findings.pleura.length).toBeGreaterThan(100);
    for (const point of findings.pleura) expect(lung.depthMm(point)).toBeLessThanOrEqual(4);
  });

  it('finds nothing but pleura in empty lung', () => {
    const empty = { ...volume, voxelsHu: new Int16Array(SIZE ** 3).fill(-850) };
    const none = findLookAlikes(empty, lung);
    expect([none.vessels, none.bifurcations, none.airways]).toEqual([[], [], []]);
  });
});
