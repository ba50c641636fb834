/**
 * LunaModel's parameters in shared memory: kept as PyTorch's arrays (values, the optimizer's slots, gradients), and packed for the
 * kernels after every change.
 */
import { firstTrainedParameter, type ParameterSpec } from '../luna-model.ts';
import { adamStep, OPTIMIZER_SLOTS, type OptimizerSettings, type StepSize } from '../optimizers.ts';
import { BLOCK_OUTPUTS } from './convolution-calls.ts';
import { gradientLayout, type GradientLayout } from './gradient-layout.ts';
import { callKernel, type KernelCall } from './kernel-calls.ts';
import { rowsKernelBytes } from './kernel-tables.ts';
import { kernelOf } from './convolution-calls.ts';
import type { LoadedProgram, ThreadPool } from './thread-pool.ts';
import { FLOAT_BYTES } from './volumes.ts';
import { mirroredKernel, plainBias, plainHead, plainKernel } from './weight-layouts.ts';

/** Values of one 3x3x3 kernel after Winograd's transform: 16 for each of three planes. */
const WINOGRAD_TAPS = 48;
const DIRECT_TAPS = 27;
/** Values of one task of the optimizer. */
const TASK_LENGTH = 4096;

/** What one convolution computes with: addresses. */
export interface ConvolutionWeights {
  readonly inputs: number;
  readonly outputs: number;
  /** For the direct convolution where there is one input channel, else for Winograd's. */
  readonly forward: number;
  readonly bias: number;
  /** For the input's gradient: in rows for a block's second convolution, mirrored for Winograd for its first, else 0. */
  readonly backward: number;
}

export interface HeadWeights {
  /** `[class][position][channel]` */
  readonly weights: number;
  readonly bias: number;
}

interface Job {
  readonly program: LoadedProgram;
  readonly tasks: number;
  /** Place of the parameter that it is about. */
  readonly index: number;
}

/** What rules how parameters change. */
export interface ParameterRules {
  readonly optimizer: OptimizerSettings;
  /** As in `EngineSettings`. */
  readonly fineTuneDepth: number;
}

const sizeOf = (specs: readonly ParameterSpec[]) => specs.reduce((sum, { size }) => sum + size, 0);

/** Places of the layers' weights among the parameters; the bias follows. */
function layersOf(specs: readonly ParameterSpec[]) {
  const convolutions = specs.flatMap(({ role, shape }, index) =>
    role === 'convolution' ? [{ index, inputs: shape[1]!, outputs: shape[0]! }] : [],
  );
  const head = specs.findIndex(({ role }) => role === 'head');
  const channels = convolutions.at(-1)!.outputs;
  return { convolutions, head: { index: head, channels, positions: specs[head]!.shape[1]! / channels } };
}

export class LunaParameters {
  readonly values: readonly Float32Array[];
  /** What the optimizer remembers of each: `OPTIMIZER_SLOTS`. */
  readonly slots: readonly (readonly Float32Array[])[];
  /** Of the last batch, after `unpackGradients`; zeros for what is frozen. */
  readonly gradients: readonly Float32Array[];
  /** Place of the first parameter that trains: those before are frozen. */
  readonly firstTrained: number;
  readonly convolutions: readonly ConvolutionWeights[];
  readonly head: HeadWeights;
  readonly layout: GradientLayout;
  /** Where a batch's gradients are summed, as `layout` says. */
  readonly sums: number;
  readonly #pool: ThreadPool;
  readonly #addresses: number[] = [];
  readonly #packing: Job[] = [];
  readonly #unpacking: Job[] = [];
  readonly #optimizer: OptimizerSettings;
  /** Numbers that train. */
  readonly #length: number;

  constructor(
    pool: ThreadPool,
    specs: readonly ParameterSpec[],
    { optimizer, fineTuneDepth }: ParameterRules,
  ) {
    this.#pool = pool;
    this.firstTrained = firstTrainedParameter(specs, fineTuneDepth);
    this.layout = gradientLayout(specs);
    this.sums = this.#allocate(this.layout.bytes);
    this.values = this.#allocateArrays(specs);
    this.slots = OPTIMIZER_SLOTS[optimizer.optimizer].map(() => this.#allocateArrays(specs));
    this.gradients = this.#allocateArrays(specs);
    const { convolutions, head } = layersOf(specs);
    this.convolutions = convolutions.map(({ index, inputs, outputs }, order) => {
      this.#unpackConvolution(index, order, plainKernel(0, inputs, outputs));
      return this.#packConvolution(index, order, { inputs, outputs });
    });
    this.head = this.#planHead(head);
    this.#optimizer = optimizer;
    this.#length = sizeOf(specs.slice(this.firstTrained));
  }

  /** To call after every change of `values`, or of those from the parameter `from` on. */
  pack(from = 0): void {
    for (const { program, tasks, index } of this.#packing) if (index >= from) this.#pool.run(program, tasks);
  }

  /** Fills `gradients` from the sums, except those of the input normalisation. */
  unpackGradients(): void {
    for (const { program, tasks } of this.#unpacking) this.#pool.run(program, tasks);
  }

  /**
   * One step of the optimizer from `gradients`, packed. What is frozen comes first, so a step is about the rest of each block.
   * @param stepNumber from 1; Adam corrects its averages by it
   */
  step(stepNumber: number, size: StepSize): void {
    const addressOf = (arrays: readonly Float32Array[]) => arrays[this.firstTrained]!.byteOffset;
    const [values, gradients] = [addressOf(this.values), addressOf(this.gradients)];
    const shared = { values, gradients, length: this.#length, taskLength: TASK_LENGTH };
    const [first, second] = this.slots.map(addressOf);
    const { momentum, weightDecay } = this.#optimizer;
    const call =
      second === undefined
        ? callKernel('stepMomentum', {
            ...{ ...shared, ...size, momentum, weightDecay },
            ...{ velocities: first!, newValues: values, newVelocities: first! },
          })
        : callKernel('stepAdam', {
            ...{ ...shared, ...adamStep(this.#optimizer, stepNumber, size) },
            ...{ firstMoments: first!, secondMoments: second },
          });
    this.#pool.runOnce([call], Math.ceil(this.#length / TASK_LENGTH));
    this.pack(this.firstTrained);
  }

  dispose(): void {
    for (const { program } of [...this.#packing, ...this.#unpacking]) this.#pool.unload(program);
    for (const address of this.#addresses) this.#pool.memory.release(address);
  }

  #allocate(bytes: number): number {
    const address = this.#pool.memory.allocateZeros(bytes);
    this.#addresses.push(address);
    return address;
  }

  /** One after the other in one block, as views. */
  #allocateArrays(specs: readonly ParameterSpec[]): Float32Array[] {
    let next = this.#allocate(sizeOf(specs) * FLOAT_BYTES);
    return specs.map(({ size }) => {
      const array = this.#pool.memory.floats(next, size);
      next += size * FLOAT_BYTES;
      return array;
    });
  }

  #planPacking(index: number, call: KernelCall, tasks: number): void {
    this.#packing.push({ program: this.#pool.load([call]), tasks, index });
  }

  #planUnpacking(index: number, call: KernelCall, tasks: number): void {
    if (index < this.firstTrained) return;
    this.#unpacking.push({ program: this.#pool.load([call]), tasks, index });
  }

  #packConvolution(
    index: number,
    order: number,
    { inputs, outputs }: { readonly inputs: number; readonly outputs: number },
  ): ConvolutionWeights {
    const address = this.values[index]!.byteOffset;
    const plain = plainKernel(address, inputs, outputs);
    const size = inputs * outputs * FLOAT_BYTES;
    const isFirst = order === 0;
    const forward = this.#allocate(size * (isFirst ? DIRECT_TAPS : WINOGRAD_TAPS));
    const pack = isFirst ? 'packBlocks' : 'packWinograd';
    this.#planPacking(index, callKernel(pack, { ...plain, packed: forward }), outputs / BLOCK_OUTPUTS);
    const bias = this.values[index + 1]!.byteOffset;
    if (isFirst) return { inputs, outputs, forward, bias, backward: 0 };
    if (order % 2 === 1) {
      const backward = this.#allocate(outputs * rowsKernelBytes(kernelOf(inputs)));
      this.#planPacking(index, callKernel('packRows', { ...plain, packed: backward }), outputs);
      return { inputs, outputs, forward, bias, backward };
    }
    const backward = this.#allocate(size * WINOGRAD_TAPS);
    const mirrored = { ...mirroredKernel(address, inputs, outputs), packed: backward };
    this.#planPacking(index, callKernel('packWinograd', mirrored), inputs / BLOCK_OUTPUTS);
    return { inputs, outputs, forward, bias, backward };
  }

  #unpackConvolution(index: number, order: number, plain: ReturnType<typeof plainKernel>): void {
    const { kernel, bias } = this.layout.convolutions[order]!;
    const rows = { ...plain, plain: this.gradients[index]!.byteOffset, packed: this.sums + kernel };
    this.#planUnpacking(index, callKernel('unpackRows', rows), plain.outputs);
    this.#unpackBias(index + 1, this.sums + bias);
  }

  #unpackBias(index: number, packed: number): void {
    const { byteOffset, length } = this.gradients[index]!;
    this.#planUnpacking(index, callKernel('unpackRows', { ...plainBias(byteOffset, length), packed }), 1);
  }

  #planHead(head: {
    readonly index: number;
    readonly channels: number;
    readonly positions: number;
  }): HeadWeights {
    const { index, channels, positions } = head;
    const plain = plainHead(this.values[index]!.byteOffset, positions, channels);
    const weights = this.#allocate(this.values[index]!.byteLength);
    this.#planPacking(index, callKernel('packRows', { ...plain, packed: weights }), plain.outputs);
    const gradient = plainHead(this.gradients[index]!.byteOffset, positions, channels);
    const packed = this.sums + this.layout.head.kernel;
    this.#planUnpacking(index, callKernel('unpackRows', { ...gradient, packed }), plain.outputs);
    this.#unpackBias(index + 1, this.sums + this.layout.head.bias);
    return { weights, bias: this.values[index + 1]!.byteOffset };
  }
}
