/**
 * Grain of a CT: Gaussian noise that is correlated over neighbouring voxels, as reconstruction leaves it. Drawing it per
 * voxel of a 512x512x300 scan would cost more than all the rest, so two small periodic blocks are drawn and added. Their
 * periods have no common factor, so the sum repeats after the product of the periods only: never within a scan.
 */
import type { RandomStream } from '@lunastream/random';
import type { Shape, Volume } from '@lunastream/volume';

const FIRST_BLOCK: Shape = { depth: 31, height: 67, width: 71 };
const SECOND_BLOCK: Shape = { depth: 37, height: 61, width: 73 };
// Share of each neighbour along an axis, before normalising: wider within a slice than across slices.
const NEIGHBOUR_SHARE = { index: 0.15, row: 0.45, column: 0.45 } as const;

const LOWEST_HU = -1024;
const HIGHEST_HU = 3071;

/** Convolves with [share, 1, share] along one axis of a periodic block. */
function smoothAxis(block: Float64Array, length: number, stride: number, share: number): Float64Array {
  return block.map((value, offset) => {
    const position = Math.floor(offset / stride) % length;
    const origin = offset - position * stride;
    const before = block[origin + ((position + length - 1) % length) * stride]!;
    const after = block[origin + ((position + 1) % length) * stride]!;
    return value + share * (before + after);
  });
}

/** A periodic block of correlated noise of mean 0 and standard deviation `sigma`. */
function correlatedBlock({ depth, height, width }: Shape, sigma: number, random: RandomStream): Float64Array {
  const white = Float64Array.from({ length: depth * height * width }, () => random.gaussian());
  const alongColumn = smoothAxis(white, width, 1, NEIGHBOUR_SHARE.column);
  const alongRow = smoothAxis(alongColumn, height, width, NEIGHBOUR_SHARE.row);
  const block = smoothAxis(alongRow, depth, height * width, NEIGHBOUR_SHARE.index);
  const mean = block.reduce((sum, value) => sum + value, 0) / block.length;
  const variance = block.reduce((sum, value) => sum + (value - mean) ** 2, 0) / block.length;
  const scale = sigma / Math.sqrt(variance);
  return block.map((value) => (value - mean) * scale);
}

/** Noise of standard deviation `sigmaHu`, a fixed function of the voxel's position. */
export class ScannerNoise {
  readonly #first: Float64Array;
  readonly #second: Float64Array;

  constructor(sigmaHu: number, random: RandomStream) {
    this.#first = correlatedBlock(FIRST_BLOCK, sigmaHu * Math.SQRT1_2, random);
    this.#second = correlatedBlock(SECOND_BLOCK, sigmaHu * Math.SQRT1_2, random);
  }

  /** Noise in HU at voxel [index, row, column], all at least 0. */
  at(index: number, row: number, column: number): number {
    return (
      this.#first[this.#rowStart(FIRST_BLOCK, index, row) + (column % FIRST_BLOCK.width)]! +
      this.#second[this.#rowStart(SECOND_BLOCK, index, row) + (column % SECOND_BLOCK.width)]!
    );
  }

  /** Adds the noise to slice `index` of `volume`, in place, and clips to the range of a CT, -1024..3071 HU. */
  addToSlice(volume: Volume, index: number): void {
    const { height, width } = volume.geometry.shape;
    const { voxelsHu } = volume;
    for (let row = 0; row < height; row++) {
      const first = this.#rowStart(FIRST_BLOCK, index, row);
      const second = this.#rowStart(SECOND_BLOCK, index, row);
      const origin = (index * height + row) * width;
      for (let column = 0; column < width; column++) {
        const noise =
          this.#first[first + (column % FIRST_BLOCK.width)]! +
          this.#second[second + (column % SECOND_BLOCK.width)]!;
        const value = Math.round(voxelsHu[origin + column]! + noise);
        voxelsHu[origin + column] = value < LOWEST_HU ? LOWEST_HU : value > HIGHEST_HU ? HIGHEST_HU : value;
      }
    }
  }

  #rowStart(block: Shape, index: number, row: number): number {
    return ((index % block.depth) * block.height + (row % block.height)) * block.width;
  }
}
