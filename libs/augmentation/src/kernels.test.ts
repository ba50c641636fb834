import { philox4x32, RandomPurpose, type Words4 } from '@lunastream/random';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KernelMemory } from './kernel-memory.ts';
import { createKernels } from './kernels.ts';

const BLOCKS = 24;
const LANES = 4;
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

describe('the Philox kernel', () => {
  const memory = new KernelMemory(1 << 20);
  const kernels = createKernels(memory.memory);

  it('makes the words of philox4x32 for any key and counter', () => {
    memory.reset(kernels.memoryStart());
    const address = memory.take(BLOCKS * 16);
    const words = new Uint32Array(memory.memory.buffer, address, BLOCKS * 4);
    fc.assert(
      fc.property(uint32, uint32, uint32, uint32, (runSeed, epoch, ordinal, firstBlock) => {
        kernels.setNoise(1, runSeed, epoch, ordinal, RandomPurpose.noise);
        kernels.makeWords(firstBlock, address, address + words.byteLength);
        const expected: Words4 = [0, 0, 0, 0];
        for (let block = 0; block < BLOCKS; block++) {
          const counter = (firstBlock + block) >>> 0;
          philox4x32([counter, ordinal, RandomPurpose.noise, 0], [runSeed, epoch], expected);
          const first = (block - (block % LANES)) * 4 + (block % LANES);
          expect([0, 1, 2, 3].map((word) => words[first + word * LANES])).toEqual(expected);
        }
      }),
    );
  });
});

describe('KernelMemory', () => {
  it('grows to the largest layout, keeps to its limit and says what was needed', () => {
    const memory = new KernelMemory(200_000);
    memory.reset(0);
    expect([memory.take(100), memory.take(70_000)]).toEqual([0, 128]);
    expect(memory.sizeBytes).toBe(131_072);
    memory.reset(0);
    expect(() => memory.take(196_609)).toThrow('it must need at most 196608 bytes of memory, got 196672');
    expect(memory.sizeBytes).toBe(131_072);
  });

  it.each([0, 65_535, 2 ** 33, Number.NaN])('refuses a limit of %f bytes', (maxBytes) => {
    expect(() => new KernelMemory(maxBytes)).toThrow(/its limit must be in 65536\.\.4294967296 bytes, got/);
  });
});
