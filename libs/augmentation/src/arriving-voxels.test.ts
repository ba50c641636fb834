import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrivalMemory, ArrivingVoxels } from './arriving-voxels.ts';
import { VoxelInspector } from './voxel-inspector.ts';

const inspector = new VoxelInspector();
const memory = new ArrivalMemory(2 ** 16);
const arriving = new ArrivingVoxels(memory);

/** What is seen of bytes in pieces that end at `cuts`, each received `offset` bytes into `received`. */
function inspectInPieces(bytes: Uint8Array, cuts: readonly number[], received: Buffer, offset: number) {
  arriving.begin();
  let at = 0;
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    received.set(bytes.subarray(at, end), offset);
    arriving.add(received, offset, offset + end - at);
    received.fill(0xee, 0, offset + end - at);
    at = end;
  }
  return arriving.end();
}

describe('ArrivingVoxels', () => {
  it('see what an inspector sees of the whole, wherever it is cut and wherever it lies', () => {
    const someBytes = fc.uint8Array({ maxLength: 700 });
    const cuts = fc.array(fc.nat(), { maxLength: 6 });
    const received = fc.constantFrom(memory.bytes, Buffer.alloc(1000));
    fc.assert(
      fc.property(someBytes, cuts, received, fc.nat({ max: 17 }), (bytes, at, where, offset) => {
        expect(inspectInPieces(bytes, at, where, offset)).toEqual(inspector.inspect(bytes, 'float32'));
      }),
      { numRuns: 300 },
    );
  });

  it.each([NaN, Infinity, -Infinity])('see %s wherever it is', (value) => {
    for (const index of [0, 3, 4, 10, 15]) {
      for (const cut of [0, 1, 4 * index, 4 * index + 2, 63]) {
        const voxels = new Float32Array(16).fill(-1000);
        voxels[index] = value;
        const bytes = new Uint8Array(voxels.buffer);
        expect(inspectInPieces(bytes, [cut], memory.bytes, 3).isFinite).toBe(false);
        expect(inspectInPieces(new Uint8Array(64), [cut], memory.bytes, 3).isFinite).toBe(true);
      }
    }
  });

  it('look at bytes elsewhere that are more than are copied at a time', () => {
    const bytes = Buffer.from(Array.from({ length: 100_003 }, (_, index) => index % 127));
    expect(inspectInPieces(bytes, [50_001], Buffer.alloc(100_010), 5)).toEqual(
      inspector.inspect(bytes, 'float32'),
    );
  });
});
