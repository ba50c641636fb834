import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineMemoryError } from '../errors.ts';
import { FIRST_ADDRESS, SharedMemory } from './shared-memory.ts';

describe('SharedMemory', () => {
  it('never gives out overlapping blocks, whatever is released', () => {
    const steps = fc.array(
      fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), release: fc.option(fc.nat()) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (drawn) => {
        const memory = new SharedMemory();
        const blocks: { address: number; bytes: number }[] = [];
        for (const { bytes, release } of drawn) {
          if (release !== null && blocks.length > 0) {
            const [block] = blocks.splice(release % blocks.length, 1);
            memory.release(block!.address);
          }
          const address = memory.allocate(bytes);
          expect(address % 64).toBe(0);
          expect(address).toBeGreaterThanOrEqual(FIRST_ADDRESS);
          for (const other of blocks) {
            expect(address + bytes <= other.address || other.address + other.bytes <= address).toBe(true);
          }
          blocks.push({ address, bytes });
        }
        for (const { address } of blocks) memory.release(address);
        expect(memory.usedBytes).toBe(0);
      }),
    );
  });

  it('uses released blocks again, merged, so that repetition needs no more', () => {
    const memory = new SharedMemory();
    const round = () => {
      const addresses = [1000, 70_000, 300].map((bytes) => memory.allocate(bytes));
      for (const index of [1, 0, 2]) memory.release(addresses[index]!);
      return addresses;
    };
    const first = round();
    const size = memory.memory.buffer.byteLength;
    for (let repeat = 0; repeat < 5; repeat++) expect(round()).toEqual(first);
    expect(memory.allocate(71_000)).toBe(first[0]);
    expect(memory.memory.buffer.byteLength).toBe(size);
  });

  it('keeps content when it grows, and zeros what shall be zero', () => {
    const memory = new SharedMemory();
    const floats = memory.allocateCopy(Float32Array.of(1, 2, 3));
    const large = memory.allocate(1_000_000);
    memory.bytes(large, 1_000_000).fill(255);
    memory.release(large);
    expect(memory.bytes(memory.allocateZeros(1_000_000), 1_000_000).every((byte) => byte === 0)).toBe(true);
    expect([...memory.floats(floats, 3)]).toEqual([1, 2, 3]);
  });

  it('refuses what does not fit, and goes on', () => {
    const memory = new SharedMemory(2 ** 20);
    expect(() => memory.allocate(2 ** 20)).toThrow(EngineMemoryError);
    expect(() => memory.allocate(2 ** 20)).toThrow(
      'Cannot allocate 1.0 MiB for the model: the memory of the simd engine must hold it beside 0.0 MiB in use',
    );
    expect(memory.allocate(1000)).toBe(FIRST_ADDRESS);
  });

  it('knows its blocks', () => {
    expect(() => new SharedMemory().release(4096)).toThrow('internal: no block at address 4096');
  });
});
