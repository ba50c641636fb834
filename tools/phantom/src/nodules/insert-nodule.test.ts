import { xyzMm, type Volume } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { insertNodule } from './insert-nodule.ts';
import { shapeOf } from './nodule-shape.ts';
import type { NoduleTissue } from './nodule-tissue.ts';
import { stageStream } from '../random-stages.ts';
import { ScannerNoise } from '../scanner-noise.ts';

const SIZE = 40;
const MIDDLE = 20;
const BALL = shapeOf(16, { surface: 'smooth', lobes: [], spicules: [] });
const SOLID: NoduleTissue = { density: 'solid', tissueHu: 40, fill: 1, coreRatio: 1, edgeSigmaMm: 0.4 };
const CENTRE = [MIDDLE, MIDDLE, MIDDLE] as const;
const NO_BLUR = [0, 0, 0] as const;

function scanOf(hu: number): Volume {
  const shape = { depth: SIZE, height: SIZE, width: SIZE };
  const direction = [1, 0, 0, 0, 1, 0, 0, 0, 1] as const;
  const geometry = { shape, originXyzMm: xyzMm(0, 0, 0), spacingXyzMm: xyzMm(1, 1, 1), direction };
  return { geometry, voxelsHu: new Int16Array(SIZE ** 3).fill(hu) };
}
const at = (volume: Volume, index: number, row: number, column: number) =>
  volume.voxelsHu[(index * SIZE + row) * SIZE + column]!;

describe('insertNodule()', () => {
  it('puts tissue in the middle, leaves the lung outside, and blends the edge', () => {
    const scan = scanOf(-850);
    insertNodule(scan, { centre: CENTRE, shape: BALL, tissue: SOLID }, NO_BLUR);
    expect(at(scan, MIDDLE, MIDDLE, MIDDLE)).toBe(40);
    expect(at(scan, MIDDLE, MIDDLE, MIDDLE + 12)).toBe(-850);
    const edge = at(scan, MIDDLE, MIDDLE, MIDDLE + 8);
    expect(edge).toBeGreaterThan(-700);
    expect(edge).toBeLessThan(-100);
  });

  it('adds as much tissue as the volume of the sphere holds', () => {
    const scan = scanOf(-850);
    insertNodule(scan, { centre: CENTRE, shape: BALL, tissue: SOLID }, [1, 0.6, 0.6]);
    const added = scan.voxelsHu.reduce((sum, hu) => sum + hu + 850, 0) / 890;
    expect(added / ((Math.PI / 6) * 16 ** 3)).toBeCloseTo(1, 1);
  });

  it('shows a vessel through ground glass, and hides it in a solid nodule', () => {
    const glass: NoduleTissue = { ...SOLID, density: 'ground-glass', fill: 0.4, coreRatio: 0 };
    const contrastIn = (tissue: NoduleTissue) => {
      const scan = scanOf(-850);
      for (let row = 0; row < SIZE; row++) scan.voxelsHu[(MIDDLE * SIZE + row) * SIZE + MIDDLE] = -100;
      insertNodule(scan, { centre: CENTRE, shape: BALL, tissue }, NO_BLUR);
      return at(scan, MIDDLE, MIDDLE, MIDDLE) - at(scan, MIDDLE, MIDDLE, MIDDLE + 2);
    };
    expect(contrastIn(glass)).toBeGreaterThan(300);
    expect(contrastIn(SOLID)).toBe(0);
  });

  it('gives a part-solid nodule a core denser than its rim', () => {
    const scan = scanOf(-850);
    const tissue: NoduleTissue = { ...SOLID, density: 'part-solid', fill: 0.4, coreRatio: 0.5 };
    insertNodule(scan, { centre: CENTRE, shape: BALL, tissue }, NO_BLUR);
    expect(at(scan, MIDDLE, MIDDLE, MIDDLE)).toBe(40);
    expect(at(scan, MIDDLE, MIDDLE, MIDDLE + 6)).toBe(Math.round(-850 + 0.4 * 890));
  });

  it('leaves bone as dense as it was', () => {
    const scan = scanOf(400);
    insertNodule(scan, { centre: CENTRE, shape: BALL, tissue: SOLID }, NO_BLUR);
    expect(scan.voxelsHu.every((hu) => hu === 400)).toBe(true);
  });

  it('keeps the grain of the scan inside the nodule', () => {
    const noise = new ScannerNoise(20, stageStream(1, 0, 4));
    const scan = scanOf(-850);
    for (let index = 0; index < SIZE; index++) noise.addToSlice(scan, index);
    const grain = new ScannerNoise(20, stageStream(2, 0, 4));
    insertNodule(scan, { centre: CENTRE, shape: BALL, tissue: SOLID }, NO_BLUR, grain);
    const inside: number[] = [];
    for (let index = 16; index <= 24; index++) {
      for (let row = 16; row <= 24; row++) {
        for (let column = 16; column <= 24; column++) inside.push(at(scan, index, row, column));
      }
    }
    const mean = inside.reduce((sum, hu) => sum + hu, 0) / inside.length;
    const sigma = Math.sqrt(inside.reduce((sum, hu) => sum + (hu - mean) ** 2, 0) / inside.length);
    expect(Math.abs(mean - 40)).toBeLessThan(8);
    expect(sigma).toBeGreaterThan(15);
    expect(sigma).toBeLessThan(25);
  });

  it('ignores a nodule outside the scan', () => {
    const scan = scanOf(-850);
    insertNodule(scan, { centre: [500, 500, 500], shape: BALL, tissue: SOLID }, NO_BLUR);
    expect(scan.voxelsHu.every((hu) => hu === -850)).toBe(true);
  });
});
