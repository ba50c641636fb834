import { containsIrc, xyzMm, xyzToIrc } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { ChestAnatomy, lungCentreMm, sampleChestVariant } from './chest-anatomy.ts';
import { stageStream } from '../random-stages.ts';
import { makeSyntheticBackground } from './synthetic-chest.ts';
import { sampleSyntheticView } from './synthetic-geometry.ts';
import { distance, dot, type Vector } from '../geometry/vector.ts';
import { growVesselTree } from './vessel-tree.ts';

const anatomy = new ChestAnatomy(sampleChestVariant(stageStream(3, 0, 0)));
const breathe = () => Promise.resolve();

describe('ChestAnatomy', () => {
  it('has air outside, fat under the skin, bone in the spine and lung on both sides', () => {
    expect(anatomy.huAt(300, 0, 0, 1)).toBe(-1000);
    expect(anatomy.huAt(0, -113 * anatomy.variant.size, 0, 1)).toBe(-100);
    expect(anatomy.huAt(5, 65, 0, 1)).toBeGreaterThan(60);
    for (const side of [-1, 1] as const) {
      expect(anatomy.huAt(...lungCentreMm(side), 1)).toBeLessThan(-780);
      expect(anatomy.lungDepthMm(...lungCentreMm(side))).toBeGreaterThan(10);
    }
    expect(anatomy.lungDepthMm(0, 0, 0)).toBeLessThan(0);
  });

  it('has lungs of 1.5 to 8 litres together', () => {
    let voxels = 0;
    for (let x = -150; x <= 150; x += 5) {
      for (let y = -120; y <= 120; y += 5) {
        for (let z = -170; z <= 170; z += 5) if (anatomy.lungDepthMm(x, y, z) > 0) voxels++;
      }
    }
    expect((voxels * 125) / 1e6).toBeGreaterThan(1.5);
    expect((voxels * 125) / 1e6).toBeLessThan(8);
  });
});

describe('growVesselTree()', () => {
  const tree = growVesselTree(anatomy, stageStream(3, 0, 1));

  it('grows thousands of pieces that thin out and stay out of the pleura', () => {
    expect(tree.vessels.length).toBeGreaterThan(3000);
    const peripheral = tree.vessels.filter(({ from }) => anatomy.lungDepthMm(...from) > 4);
    for (const { to } of peripheral) expect(anatomy.lungDepthMm(...to)).toBeGreaterThan(1.5);
    for (const piece of tree.vessels) expect(piece.toRadiusMm).toBeLessThan(piece.fromRadiusMm);
  });

  it('reaches both lungs, from hilum to periphery', () => {
    const ends = tree.vessels.map(({ to }) => to);
    for (const side of [-1, 1] as const) {
      const own = ends.filter(([x]) => Math.sign(x) === side);
      expect(own.length).toBeGreaterThan(1000);
      expect(Math.max(...own.map((point) => distance(point, [side * 16, 10, 0])))).toBeGreaterThan(70);
    }
  });
});

describe('sampleSyntheticView()', () => {
  const views = Array.from({ length: 12 }, (_, scanIndex) =>
    sampleSyntheticView({ depth: 96, height: 160, width: 160 }, scanIndex, stageStream(5, scanIndex, 0)),
  );

  it('varies spacing within 0.55..0.85 in plane and 1..2.5 mm across', () => {
    for (const { geometry } of views) {
      const [x, y, z] = geometry.spacingXyzMm;
      expect(x).toBe(y);
      expect(x > 0.55 && x < 0.85 && z >= 1 && z < 2.5).toBe(true);
    }
    expect(new Set(views.map(({ geometry }) => geometry.spacingXyzMm[0])).size).toBe(views.length);
  });

  it('has orthonormal directions: identity, flipped and oblique by turns', () => {
    for (const [scanIndex, { geometry }] of views.entries()) {
      const m = geometry.direction;
      const columns = [0, 1, 2].map((k): Vector => [m[k]!, m[3 + k]!, m[6 + k]!]);
      columns.forEach((a, i) =>
        columns.forEach((b, j) => expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 10)),
      );
      const isDiagonal = Math.abs(m[0] * m[4] * m[8]) === 1;
      expect(isDiagonal).toBe(scanIndex % 3 !== 2);
      if (scanIndex % 3 === 0) expect([...m]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
      if (scanIndex % 3 === 1) expect(Math.min(m[0], m[4], m[8])).toBe(-1);
    }
  });
});

describe('makeSyntheticBackground()', () => {
  it.each([0, 1, 2])('shows lung with vessels, seen from any direction [scan %d]', async (scanIndex) => {
    const shape = { depth: 32, height: 96, width: 96 };
    const background = await makeSyntheticBackground({ seed: 11, scanIndex, shape }, breathe);
    const { volume, lung, vesselPoints } = background;
    const huAt = (point: Vector) => {
      const [index, row, column] = xyzToIrc(volume.geometry, xyzMm(...point));
      return volume.voxelsHu[(index * shape.height + row) * shape.width + column]!;
    };
    const random = stageStream(1, 0, 2);
    const plain = Array.from({ length: 400 }, () => huAt(lung.samplePoint(random))).sort((a, b) => a - b);
    expect(Math.abs(plain[200]! - background.parenchymaHu)).toBeLessThan(60);
    expect(vesselPoints.length).toBeGreaterThan(20);
    const bright = vesselPoints.map(huAt).sort((a, b) => a - b);
    expect(bright[Math.floor(bright.length / 2)]).toBeGreaterThan(background.parenchymaHu + 150);
  });

  it('draws look-alikes inside the scan, and adds noise at the end', async () => {
    const shape = { depth: 32, height: 96, width: 96 };
    const background = await makeSyntheticBackground({ seed: 11, scanIndex: 2, shape }, breathe);
    const before = background.volume.voxelsHu.slice();
    const random = stageStream(11, 2, 3);
    const found = background.placeLookAlikes({ count: 60, keepOut: [], random });
    expect(found).toHaveLength(60);
    for (const { centre } of found) {
      expect(containsIrc(shape, xyzToIrc(background.volume.geometry, xyzMm(...centre)))).toBe(true);
    }
    const drawn = background.volume.voxelsHu.filter((hu, offset) => hu !== before[offset]).length;
    expect(drawn).toBeGreaterThan(500);
    const flat = background.volume.voxelsHu.slice();
    await background.finish(breathe);
    const noisy = background.volume.voxelsHu.filter((hu, offset) => hu !== flat[offset]).length;
    expect(noisy / flat.length).toBeGreaterThan(0.8);
  });
});
