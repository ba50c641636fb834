import { describe, expect, it } from 'vitest';
import { countParameters, headInputSize, lunaParameters } from './luna-model.ts';

const CHAPTER_SHAPE = { depth: 32, height: 48, width: 48 };

describe('lunaParameters()', () => {
  it("has 222,220 values at the chapter's 32 x 48 x 48", () => {
    expect(countParameters(lunaParameters(CHAPTER_SHAPE))).toBe(222_220);
  });

  it('has the sizes per layer of facts 1.7', () => {
    const sizes = Object.fromEntries(lunaParameters(CHAPTER_SHAPE).map(({ name, size }) => [name, size]));
    const layer = (name: string) => sizes[`${name}.weight`]! + sizes[`${name}.bias`]!;
    const layers = ['tail_batchnorm', 'block1.conv1', 'block1.conv2', 'block2.conv1', 'block2.conv2'];
    expect(layers.map(layer)).toEqual([2, 224, 1736, 3472, 6928]);
    const rest = ['block3.conv1', 'block3.conv2', 'block4.conv1', 'block4.conv2', 'head_linear'];
    expect(rest.map(layer)).toEqual([13856, 27680, 55360, 110656, 2306]);
  });

  it('changes with the chunk shape in the head only', () => {
    const small = lunaParameters({ depth: 24, height: 24, width: 24 });
    const differing = lunaParameters(CHAPTER_SHAPE).filter(({ size }, i) => size !== small[i]!.size);
    expect(differing.map(({ name }) => name)).toEqual(['head_linear.weight']);
  });
});

describe('headInputSize()', () => {
  it.each([
    [CHAPTER_SHAPE, 1152],
    [{ depth: 16, height: 16, width: 16 }, 64],
    // 31 -> 15 -> 7 -> 3 -> 1: each pool rounds down.
    [{ depth: 31, height: 47, width: 33 }, 64 * 1 * 2 * 2],
  ])('of %j is %i', (shape, expected) => {
    expect(headInputSize(shape)).toBe(expected);
  });
});
