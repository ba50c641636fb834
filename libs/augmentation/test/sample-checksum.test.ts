import {
  Augmenter,
  CHAPTER_AUGMENTATION,
  NO_AUGMENTATION,
  sampleTransform,
  VoxelInspector,
  type AugmentationSettings,
} from '../src/index.ts';
import { voxelCount } from '@lunastream/volume';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeChunk } from './chunks.ts';

const KEY = { runSeed: 11, epoch: 2, ordinal: 5 };
const ALL: AugmentationSettings = { ...CHAPTER_AUGMENTATION, elasticVoxels: 3, huShift: 40, huScale: 0.1 };

describe('the checksum of a sample', () => {
  const size = fc.integer({ min: 1, max: 9 });
  const shapes = fc.record({ depth: size, height: size, width: size });
  const augmenter = new Augmenter();
  const inspector = new VoxelInspector();

  it.each([
    ['its source as it is', NO_AUGMENTATION, 'float32'],
    ['its source as float16', NO_AUGMENTATION, 'float16'],
    ['all transforms', ALL, 'float32'],
    ['all transforms as float16', ALL, 'float16'],
  ] as const)('is what VoxelInspector finds, of any shape: %s', (_, settings, voxelType) => {
    fc.assert(
      fc.property(shapes, fc.nat(1000), (shape, ordinal) => {
        const transform = sampleTransform(settings, { ...KEY, ordinal });
        const count = voxelCount(shape);
        const voxels = voxelType === 'float32' ? new Float32Array(count) : new Uint16Array(count);
        const source = { voxelsHu: makeChunk(shape), shape };
        const told = augmenter.apply(source, transform, { voxels, shape, withChecksum: true });
        expect(told.checksum).toBe(inspector.inspect(new Uint8Array(voxels.buffer), voxelType).checksum);
        if (settings === NO_AUGMENTATION && voxelType === 'float32') {
          expect([...voxels]).toEqual([...source.voxelsHu]);
        }
      }),
    );
  });

  it('is told only where it is wanted', () => {
    const shape = { depth: 2, height: 3, width: 5 };
    const sample = { voxels: new Float32Array(30), shape };
    for (const settings of [NO_AUGMENTATION, ALL]) {
      const source = { voxelsHu: makeChunk(shape), shape };
      expect(augmenter.apply(source, sampleTransform(settings, KEY), sample).checksum).toBeUndefined();
    }
  });
});
