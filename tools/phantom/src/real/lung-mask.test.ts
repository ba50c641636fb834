import { join } from 'node:path';
import { ircToXyz, irc, readVolume, xyzMm, type Volume } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { MaskLung, segmentLungs, voxelVolumeMm3, type BoxMask } from './lung-mask.ts';
import { stageStream } from '../random-stages.ts';
import { readLungMask } from './real-chest.ts';
import { realScanFolder } from './real-background.ts';

function litres(volume: Volume, { mask }: BoxMask): number {
  return (mask.reduce((sum, value) => sum + value, 0) * voxelVolumeMm3(volume.geometry)) / 1e6;
}

/** Overlap of two masks on one volume: twice the common voxels over the sum of both. */
function dice(volume: Volume, a: BoxMask, b: BoxMask): number {
  const { height, width } = volume.geometry.shape;
  const voxelsOf = ({ box, mask }: BoxMask) => {
    const inside = new Set<number>();
    mask.forEach((value, offset) => {
      if (value === 0) return;
      const column = box.start[2] + (offset % box.shape.width);
      const row = box.start[1] + (Math.floor(offset / box.shape.width) % box.shape.height);
      const index = box.start[0] + Math.floor(offset / (box.shape.width * box.shape.height));
      inside.add((index * height + row) * width + column);
    });
    return inside;
  };
  const [first, second] = [voxelsOf(a), voxelsOf(b)];
  let common = 0;
  for (const voxel of first) if (second.has(voxel)) common++;
  return (2 * common) / (first.size + second.size);
}

describe('segmentLungs()', () => {
  it.each(['3DCT_lung_baseline', '3DCT_lung_followup'])(
    'agrees with the mask shipped with %s: Dice over 0.95',
    async (name) => {
      const volume = await readVolume(join(realScanFolder(), `${name}.mha`));
      const shipped = await readLungMask(join(realScanFolder(), `${name}_mask.mha`));
      const found = segmentLungs(volume);
      expect(found).toHaveLength(1);
      expect(dice(volume, found[0]!, shipped)).toBeGreaterThan(0.95);
    },
  );

  it('finds the healthy lung of 4DCT_chest first: 1 to 4 litres, on the right of the patient', async () => {
    const volume = await readVolume(join(realScanFolder(), '4DCT_chest_t0.mhd'));
    const [lung] = segmentLungs(volume);
    expect(litres(volume, lung!)).toBeGreaterThan(1);
    expect(litres(volume, lung!)).toBeLessThan(4);
    const middle = lung!.box.start[2] + lung!.box.shape.width / 2;
    expect(middle).toBeLessThan(volume.geometry.shape.width / 2);
  });

  it('finds nothing where there is no lung', () => {
    const shape = { depth: 10, height: 20, width: 20 };
    const direction = [1, 0, 0, 0, 1, 0, 0, 0, 1] as const;
    const geometry = { shape, originXyzMm: xyzMm(0, 0, 0), spacingXyzMm: xyzMm(1, 1, 1), direction };
    expect(segmentLungs({ geometry, voxelsHu: new Int16Array(4000).fill(40) })).toEqual([]);
    expect(segmentLungs({ geometry, voxelsHu: new Int16Array(4000).fill(-1000) })).toEqual([]);
  });
});

describe('MaskLung', () => {
  const shape = { depth: 12, height: 14, width: 16 };
  const direction = [1, 0, 0, 0, 1, 0, 0, 0, 1] as const;
  const geometry = { shape, originXyzMm: xyzMm(5, 6, 7), spacingXyzMm: xyzMm(1, 1, 2), direction };
  const box = { start: [2, 3, 4], shape: { depth: 6, height: 7, width: 5 } } as const;
  const mask = new Uint8Array(210);
  // Inside: all but the outermost voxels of the box.
  for (let index = 1; index < 5; index++) {
    for (let row = 1; row < 6; row++) mask.fill(1, (index * 7 + row) * 5 + 1, (index * 7 + row) * 5 + 4);
  }
  const lung = MaskLung.fromMask(geometry, { box, mask });
  const at = (index: number, row: number, column: number) => ircToXyz(geometry, irc(index, row, column));

  it('knows the depth in mm inside, and 0 outside', () => {
    expect(lung.depthMm(at(4, 6, 6))).toBe(2);
    expect(lung.depthMm(at(4, 6, 5))).toBe(1);
    expect(lung.depthMm(at(4, 6, 4))).toBe(0);
    expect(lung.depthMm(at(11, 0, 0))).toBe(0);
    expect(lung.depthMm(xyzMm(-900, 0, 0))).toBe(0);
  });

  it('samples points inside only', () => {
    const random = stageStream(1, 0, 2);
    for (let draw = 0; draw < 300; draw++) expect(lung.depthMm(lung.samplePoint(random))).toBeGreaterThan(0);
  });

  it('mirrors: the depth at column c becomes that at width - 1 - c', () => {
    const mirrored = lung.mirrored();
    for (let column = 0; column < shape.width; column++) {
      expect(mirrored.depthMm(at(4, 6, column))).toBe(lung.depthMm(at(4, 6, shape.width - 1 - column)));
    }
  });
});
