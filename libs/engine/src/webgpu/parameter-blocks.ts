/**
 * Where parameters lie on the device. A layer's make one flat array, so that one kernel reads, and one updates, them all:
 * filter `[depth, height, width, in, out]`, bias, and in the first layer the scale and shift of the normalised input; the head
 * as in PyTorch.
 */
import { KERNEL_SIDE, type ParameterSpec } from '../luna-model.ts';
import { gather, kernelLayout, scatter } from '../tfjs/kernel-layout.ts';

interface Part {
  /** In `lunaParameters`. */
  readonly index: number;
  readonly size: number;
  /** PyTorch's index of each element; without it they lie as there. */
  readonly layout?: Int32Array;
}

export interface ParameterBlock {
  readonly parts: readonly Part[];
  readonly size: number;
}

/** One block for each convolution, in order, and the head's. */
export function parameterBlocks(specs: readonly ParameterSpec[]): ParameterBlock[] {
  const plain = (index: number): Part => ({ index, size: specs[index]!.size });
  const blocks = specs.flatMap(({ role, shape }, index): Part[][] => {
    if (role === 'head') return [[plain(index), plain(index + 1)]];
    if (role !== 'convolution') return [];
    const layout = kernelLayout(shape[1]!, shape[0]!).forward;
    const parts: Part[] = [{ ...plain(index), layout }, plain(index + 1)];
    return [index === 2 ? [...parts, plain(0), plain(1)] : parts];
  });
  return blocks.map((parts) => ({ parts, size: parts.reduce((sum, { size }) => sum + size, 0) }));
}

/** `arrays` in the order of `lunaParameters`, of which the block's are taken. */
export function toBlock({ parts, size }: ParameterBlock, arrays: readonly Float32Array[]): Float32Array {
  const block = new Float32Array(size);
  let start = 0;
  for (const { index, layout, size: length } of parts) {
    const values = arrays[index]!;
    block.set(layout === undefined ? values : gather(values, layout), start);
    start += length;
  }
  return block;
}

/** The inverse, for all blocks. */
export function fromBlocks(
  blocks: readonly ParameterBlock[],
  values: readonly Float32Array[],
): Float32Array[] {
  const arrays: Float32Array[] = [];
  for (const [block, { parts }] of blocks.entries()) {
    let start = 0;
    for (const { index, layout, size } of parts) {
      const part = values[block]!.slice(start, (start += size));
      arrays[index] = layout === undefined ? part : scatter(part, layout);
    }
  }
  return arrays;
}

/** What of the blocks is trained where parameters before `firstTrained`, a place in `lunaParameters`, are frozen. */
export interface TrainedBlocks {
  /** Place of the first block that has something to train. */
  readonly first: number;
  /** How many values of each block from there on are trained: the first block's normalisation comes last in it. */
  readonly lengths: readonly number[];
}

export function trainedBlocks(blocks: readonly ParameterBlock[], firstTrained: number): TrainedBlocks {
  const lengths = blocks.map(({ parts }) =>
    parts.reduce((sum, { index, size }) => sum + (index >= firstTrained ? size : 0), 0),
  );
  const first = lengths.findIndex((length) => length > 0);
  return { first, lengths: lengths.slice(first) };
}

export const FILTER: readonly [number, number, number] = [KERNEL_SIDE, KERNEL_SIDE, KERNEL_SIDE];
