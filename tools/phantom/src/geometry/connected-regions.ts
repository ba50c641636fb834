import type { Shape } from '@lunastream/volume';

/** A maximal set of mask voxels that hang together by faces. */
export interface Region {
  /** Its value in the label map, from 1, in C order of the first voxel. */
  readonly label: number;
  readonly voxelCount: number;
  /** It reaches the first and the last slice. */
  readonly spansDepth: boolean;
  /** It reaches one of the four edges along the index axis: corner pixels of a slice. */
  readonly touchesCornerEdge: boolean;
}

class FloodFill {
  readonly labels: Int32Array;
  readonly #mask: Uint8Array;
  readonly #shape: Shape;
  readonly #stack: number[] = [];

  constructor(mask: Uint8Array, shape: Shape) {
    this.#mask = mask;
    this.#shape = shape;
    this.labels = new Int32Array(mask.length);
  }

  fill(seed: number, label: number): Region {
    const { depth, height, width } = this.#shape;
    const slice = height * width;
    let voxelCount = 0;
    let touchesFirst = false;
    let touchesLast = false;
    let touchesCornerEdge = false;
    this.labels[seed] = label;
    this.#stack.push(seed);
    for (let offset = this.#stack.pop(); offset !== undefined; offset = this.#stack.pop()) {
      const column = offset % width;
      const row = Math.floor(offset / width) % height;
      const index = Math.floor(offset / slice);
      voxelCount++;
      touchesFirst ||= index === 0;
      touchesLast ||= index === depth - 1;
      touchesCornerEdge ||= (row === 0 || row === height - 1) && (column === 0 || column === width - 1);
      if (column > 0) this.#visit(offset - 1, label);
      if (column < width - 1) this.#visit(offset + 1, label);
      if (row > 0) this.#visit(offset - width, label);
      if (row < height - 1) this.#visit(offset + width, label);
      if (index > 0) this.#visit(offset - slice, label);
      if (index < depth - 1) this.#visit(offset + slice, label);
    }
    return { label, voxelCount, spansDepth: touchesFirst && touchesLast, touchesCornerEdge };
  }

  #visit(offset: number, label: number): void {
    if (this.#mask[offset] === 0 || this.labels[offset] !== 0) return;
    this.labels[offset] = label;
    this.#stack.push(offset);
  }
}

/**
 * The 6-connected regions of `mask` (0 or 1, C order; not changed), largest first, with a map of their labels (0 where
 * the mask is 0).
 */
export function connectedRegions(
  mask: Uint8Array,
  shape: Shape,
): { readonly labels: Int32Array; readonly regions: readonly Region[] } {
  const flood = new FloodFill(mask, shape);
  const regions: Region[] = [];
  for (let offset = 0; offset < mask.length; offset++) {
    if (mask[offset] !== 0 && flood.labels[offset] === 0) {
      regions.push(flood.fill(offset, regions.length + 1));
    }
  }
  regions.sort((a, b) => b.voxelCount - a.voxelCount || a.label - b.label);
  return { labels: flood.labels, regions };
}
