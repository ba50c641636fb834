import { RandomPurpose, RandomStream } from '@lunastream/random';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  referenceConvolution,
  referenceFilterGradient,
  referenceInputGradient,
  referenceMaxPool,
  type ReferenceShape,
} from '../testing/reference-convolution.ts';
import { Arena } from './arena.ts';
import {
  denseGradientCall,
  directCall,
  kernelOf,
  pooledGradientCall,
  winogradCall,
  type CallContext,
} from './convolution-calls.ts';
import { callKernel, type KernelCall } from './kernel-calls.ts';
import { KernelTables, rowsKernelBytes } from './kernel-tables.ts';
import { SharedMemory } from './shared-memory.ts';
import { ThreadPool } from './thread-pool.ts';
import { borderedSteps, denseSteps, pooledShape, type Volume, type VolumeShape } from './volumes.ts';
import type { PlainWeights } from './weight-layouts.ts';

const memory = new SharedMemory();
let pool: ThreadPool;
let context: CallContext;
beforeAll(async () => {
  pool = await ThreadPool.start(memory, 1);
  // As large as the largest case needs; NaN, so that a kernel that reads what it has not written is found out.
  const room = memory.allocate(2 ** 22);
  memory.floats(room, 2 ** 20).fill(Number.NaN);
  context = { arena: new Arena(room), tables: new KernelTables(memory) };
});
afterAll(() => pool.dispose());

function numbers(size: number, seed: number): Float32Array {
  const random = new RandomStream({ runSeed: seed, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return Float32Array.from({ length: size }, () => random.gaussian());
}

const sizeOf = ({ depth, height, width, channels }: VolumeShape) => depth * height * width * channels;

function* offsetsOf(volume: Volume): Generator<number> {
  for (let d = 0; d < volume.depth; d++) {
    for (let h = 0; h < volume.height; h++) {
      for (let w = 0; w < volume.width; w++) {
        yield volume.address + volume.inner + d * volume.plane + h * volume.row + w * volume.step;
      }
    }
  }
}

/** A new volume with a border, or without; zeros, or `values` in it. */
function place(shape: VolumeShape, border: boolean, values?: Float32Array): Volume {
  const steps = border ? borderedSteps(shape) : denseSteps(shape);
  const volume = { ...shape, ...steps, address: memory.allocateZeros(steps.size + 16) };
  let at = 0;
  for (const offset of values === undefined ? [] : offsetsOf(volume)) {
    memory.floats(offset, shape.channels).set(values!.subarray(at, at + shape.channels));
    at += shape.channels;
  }
  return volume;
}

function read(volume: Volume): number[] {
  return [...offsetsOf(volume)].flatMap((offset) => [...memory.floats(offset, volume.channels)]);
}

function pack(
  kernel: 'packBlocks' | 'packRows' | 'packWinograd',
  plain: PlainWeights,
  tasks: number,
): number {
  const packed = memory.allocateZeros(64 * 4 * plain.inputs * Math.ceil(plain.outputs / 8) * 8);
  pool.runOnce([callKernel(kernel, { ...plain, packed })], tasks);
  return packed;
}

const run = (call: KernelCall) => pool.runOnce([call], 1);

/** Weights `[tap][in][out]`, as the reference has them. */
function plain(values: Float32Array, inputs: number, outputs: number): PlainWeights {
  return {
    plain: memory.allocateCopy(values),
    ...{ tapStride: 4 * inputs * outputs, inputStride: 4 * outputs, outputStride: 4, inputs, outputs },
    ...{ rowCount: 9, rowTaps: 3 },
  };
}

/** A kernel gradient in rows, back as `[tap][in][out]`. */
function unpack(packed: number, inputs: number, outputs: number): number[] {
  const target = plain(new Float32Array(27 * inputs * outputs), inputs, outputs);
  pool.runOnce([callKernel('unpackRows', { ...target, packed })], outputs);
  return [...memory.floats(target.plain, 27 * inputs * outputs)];
}

function expectClose(actual: readonly number[], expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  for (const [index, value] of actual.entries()) {
    // Not "greater": NaN fails too.
    if (!(Math.abs(value - expected[index]!) <= 5e-6 * scale)) {
      expect.fail(`element ${index} is ${value}, not ${expected[index]}`);
    }
  }
}

interface Case {
  readonly depth: number;
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = fc.record({
  depth: fc.integer({ min: 3, max: 7 }),
  height: fc.integer({ min: 2, max: 9 }),
  width: fc.integer({ min: 2, max: 11 }),
  inputs: fc.constantFrom(4, 8, 12, 16),
  outputs: fc.constantFrom(8, 16, 24),
  seed: fc.nat(1000),
});

const referenceShape = ({ depth, height, width, inputs, outputs }: Case): ReferenceShape => ({
  ...{ samples: 1, inputs, outputs },
  input: [depth, height, width],
  output: [depth, height, width],
  filter: [3, 3, 3],
  strides: [1, 1, 1],
  padding: [1, 1, 1],
});

/** What every property starts from. */
function draw(drawn: Case) {
  const { inputs, outputs, seed } = drawn;
  const shape = { depth: drawn.depth, height: drawn.height, width: drawn.width };
  const x = numbers(sizeOf({ ...shape, channels: inputs }), seed);
  const weights = numbers(27 * inputs * outputs, seed + 1);
  const bias = numbers(outputs, seed + 2);
  const y = referenceConvolution(referenceShape(drawn), x, weights).map((v, i) => v + bias[i % outputs]!);
  return { shape, x, weights, bias, y, biasAt: memory.allocateCopy(bias) };
}

const check = (property: (drawn: Case) => void) =>
  fc.assert(fc.property(cases, property), { numRuns: 30, endOnFailure: true });

describe('3x3x3 convolutions against float64', () => {
  it('direct, with bias and ReLU, one input channel too', () => {
    check((drawn) => {
      for (const inputs of [1, drawn.inputs]) {
        const { shape, x, weights, biasAt, y } = draw({ ...drawn, inputs });
        const input = place({ ...shape, channels: inputs }, true, x);
        const output = place({ ...shape, channels: drawn.outputs }, true);
        const packed = pack('packBlocks', plain(weights, inputs, drawn.outputs), drawn.outputs / 8);
        run(directCall(context, { weights: packed, bias: biasAt }, input, output));
        expectClose(
          read(output),
          y.map((value) => Math.max(value, 0)),
        );
      }
    });
  });

  it("Winograd's, with bias, with and without ReLU and border", () => {
    check((drawn) => {
      const { shape, x, weights, biasAt, y } = draw(drawn);
      const input = place({ ...shape, channels: drawn.inputs }, true, x);
      const packed = pack('packWinograd', plain(weights, drawn.inputs, drawn.outputs), drawn.outputs / 8);
      for (const relu of [true, false]) {
        const output = place({ ...shape, channels: drawn.outputs }, relu);
        run(winogradCall(context, { weights: packed, bias: biasAt }, [input, output], { relu }));
        expectClose(read(output), relu ? y.map((value) => Math.max(value, 0)) : y);
      }
    });
  });

  it("Winograd's with max pool: maxima, and the places they came from", () => {
    check((drawn) => {
      const { shape, x, weights, biasAt, y } = draw(drawn);
      const channels = drawn.outputs;
      const input = place({ ...shape, channels: drawn.inputs }, true, x);
      const output = place(pooledShape({ ...shape, channels }), true);
      const places = memory.allocateZeros(sizeOf(output));
      const packed = pack('packWinograd', plain(weights, drawn.inputs, channels), channels / 8);
      run(winogradCall(context, { weights: packed, bias: biasAt }, [input, output], { places }));
      const pooled = referenceMaxPool(
        {
          ...referenceShape(drawn),
          ...{ inputs: channels, output: [output.depth, output.height, output.width] },
          ...{ filter: [2, 2, 2], strides: [2, 2, 2], padding: [0, 0, 0] },
        },
        y,
      );
      expectClose(
        read(output),
        pooled.maxima.map((value) => Math.max(value, 0)),
      );
      const found = memory.bytes(places, sizeOf(output));
      for (const [index, at] of pooled.places.entries()) {
        const position = Math.floor(at / channels);
        const [d, h, w] = [
          Math.floor(position / (shape.height * shape.width)),
          Math.floor(position / shape.width) % shape.height,
          position % shape.width,
        ];
        const expected = pooled.maxima[index]! > 0 ? 4 * (d % 2) + 2 * (h % 2) + (w % 2) : 8;
        expect(found[index]).toBe(expected);
      }
    });
  });

  it('kernel and bias gradients, one input channel too', () => {
    check((drawn) => {
      for (const inputs of [1, drawn.inputs]) {
        const { shape, x } = draw({ ...drawn, inputs });
        const { outputs } = drawn;
        const dy = numbers(sizeOf({ ...shape, channels: outputs }), drawn.seed + 3).map((v) =>
          Math.max(v, 0),
        );
        const sums = {
          kernel: memory.allocateZeros(outputs * rowsKernelBytes(kernelOf(inputs))),
          bias: memory.allocateZeros(4 * outputs),
        };
        const input = place({ ...shape, channels: inputs }, true, x);
        run(denseGradientCall(context, input, place({ ...shape, channels: outputs }, true, dy), sums));
        const reference = { ...referenceShape(drawn), inputs };
        expectClose(unpack(sums.kernel, inputs, outputs), referenceFilterGradient(reference, x, dy));
        const bias = new Float64Array(outputs);
        for (const [index, value] of dy.entries()) bias[index % outputs]! += value;
        expectClose([...memory.floats(sums.bias, outputs)], bias);
      }
    });
  });

  it('all gradients behind ReLU and pool, in front of a ReLU', () => {
    check((drawn) => {
      const { shape, weights } = draw(drawn);
      const { inputs, outputs, seed } = drawn;
      const x = numbers(sizeOf({ ...shape, channels: inputs }), seed).map((value) => Math.max(value, 0));
      const cells = pooledShape({ ...shape, channels: outputs });
      const gradient = numbers(sizeOf(cells), seed + 3);
      const placeOf = Uint8Array.from(
        numbers(sizeOf(cells), seed + 4),
        (value) => Math.abs(value * 1000) % 9,
      );
      const dy = new Float64Array(sizeOf({ ...shape, channels: outputs }));
      for (const [index, value] of gradient.entries()) {
        const cell = Math.floor(index / outputs);
        const [d, h, w] = [
          Math.floor(cell / (cells.height * cells.width)),
          Math.floor(cell / cells.width) % cells.height,
          cell % cells.width,
        ];
        const at = placeOf[index]!;
        if (at === 8) continue;
        const position =
          ((2 * d + (at >> 2)) * shape.height + 2 * h + ((at >> 1) & 1)) * shape.width + 2 * w + (at & 1);
        dy[position * outputs + (index % outputs)] = value;
      }
      const input = place({ ...shape, channels: inputs }, true, x);
      const inputGradient = place({ ...shape, channels: inputs }, true);
      memory.bytes(inputGradient.address, inputGradient.size).fill(255);
      const sums = {
        kernel: memory.allocateZeros(outputs * rowsKernelBytes(kernelOf(inputs))),
        bias: memory.allocateZeros(4 * outputs),
      };
      const pooled = { gradient: place(cells, false, gradient), places: memory.allocateCopy(placeOf) };
      const kernel = pack('packRows', plain(weights, inputs, outputs), outputs);
      run(pooledGradientCall(context, [input, inputGradient], pooled, { kernel, sums }));
      const reference = referenceShape(drawn);
      expectClose(unpack(sums.kernel, inputs, outputs), referenceFilterGradient(reference, x, dy));
      const dx = referenceInputGradient(reference, dy, weights).map((value, i) => (x[i]! > 0 ? value : 0));
      expectClose(read(inputGradient), dx);
      const border = memory.floats(inputGradient.address, inputGradient.plane / 4);
      expect(border.every((value) => value === 0)).toBe(true);
    });
  });
});
