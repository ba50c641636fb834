/**
 * What one thread does for one sample: LunaModel forward, and for training backward, as a list of kernel calls. A
 * sample's activations stay on its thread, so memory grows with threads and not with the batch.
 */
import { INPUT_NORMALISATIONS, type InputNormalisation } from '../input-normalisation.ts';
import { BLOCK_CHANNELS, type ChunkShape } from '../luna-model.ts';
import {
  denseGradientCall,
  directCall,
  pooledGradientCall,
  winogradCall,
  type CallContext,
} from './convolution-calls.ts';
import { callKernel, type KernelCall } from './kernel-calls.ts';
import type { LunaParameters } from './luna-parameters.ts';
import { borderedSteps, denseSteps, pooledShape, type Volume, type VolumeShape } from './volumes.ts';

/** Addresses in shared memory that a sample's program works with. */
export interface SampleAddresses {
  readonly batch: number;
  /** Pairs of logits, sample after sample. */
  readonly logits: number;
  /** As many zeros as the widest layer has channels. */
  readonly zeros: number;
}

export interface SamplePlan {
  readonly context: CallContext;
  readonly chunkShape: ChunkShape;
  readonly parameters: LunaParameters;
  readonly addresses: SampleAddresses;
  readonly inputNormalisation: InputNormalisation;
}

/** A list of kernel calls, and where they leave what they make of the sample. */
export interface SampleProgram {
  readonly calls: readonly KernelCall[];
  /** Outputs by name, first to last. */
  readonly layers: readonly (readonly [name: string, output: Volume])[];
}

/** Kernel and bias of two convolutions. */
const PARAMETERS_OF_BLOCK = 4;

/** What a block keeps for its backward pass. */
interface BlockVolumes {
  readonly input: Volume;
  readonly middle: Volume;
  readonly output: Volume;
  readonly places: number;
}

function bordered({ arena }: CallContext, shape: VolumeShape): Volume {
  const steps = borderedSteps(shape);
  return { ...shape, ...steps, address: arena.take(steps.size) };
}

function dense({ arena }: CallContext, shape: VolumeShape): Volume {
  const steps = denseSteps(shape);
  return { ...shape, ...steps, address: arena.take(steps.size) };
}

function takeBlocks(context: CallContext, input: Volume): BlockVolumes[] {
  const blocks: BlockVolumes[] = [];
  for (const channels of BLOCK_CHANNELS) {
    const from: Volume = blocks.at(-1)?.output ?? input;
    const middle = bordered(context, { ...from, channels });
    const shape = pooledShape(middle);
    // The head reads the last output as a plain array.
    const isLast = blocks.length === BLOCK_CHANNELS.length - 1;
    const output = isLast ? dense(context, shape) : bordered(context, shape);
    const places = context.arena.take(shape.depth * shape.height * shape.width * channels);
    blocks.push({ input: from, middle, output, places });
  }
  return blocks;
}

function forwardCalls({ context, parameters }: SamplePlan, blocks: readonly BlockVolumes[]): KernelCall[] {
  return blocks.flatMap(({ input, middle, output, places }, block) => {
    const [first, second] = parameters.convolutions.slice(2 * block, 2 * block + 2);
    const firstWeights = { weights: first!.forward, bias: first!.bias };
    const secondWeights = { weights: second!.forward, bias: second!.bias };
    return [
      block === 0
        ? directCall(context, firstWeights, input, middle)
        : winogradCall(context, firstWeights, [input, middle]),
      winogradCall(context, secondWeights, [middle, output], { places }),
    ];
  });
}

/** Addresses of this thread's gradients. */
function gradientSums(sums: number, { kernel, bias }: { readonly kernel: number; readonly bias: number }) {
  return { kernel: sums + kernel, bias: sums + bias };
}

/** The first block that trains, from 0, where the parameters do from `firstTrained` on: the normalisation's two come first. */
function trainedBlocksFrom(firstTrained: number): number {
  return Math.max(0, (firstTrained - 2) / PARAMETERS_OF_BLOCK);
}

/** Backward through the blocks that train; nothing before them needs a gradient. */
function backwardCalls(
  { context, parameters, addresses }: SamplePlan,
  blocks: readonly BlockVolumes[],
  {
    sums,
    features,
    normalised,
  }: { readonly sums: number; readonly features: Volume; readonly normalised: Volume },
): KernelCall[] {
  const calls: KernelCall[] = [];
  const { layout, convolutions, firstTrained } = parameters;
  const firstBlock = trainedBlocksFrom(firstTrained);
  // Blocks come one after the other: one room for the gradient between a block's convolutions, as large as the first's.
  const middleGradient = bordered(context, blocks[0]!.middle);
  let gradient = features;
  for (const [block, { input, middle, places }] of [...blocks.entries()].slice(firstBlock).reverse()) {
    const between = { ...middle, address: middleGradient.address };
    const [first, second] = [2 * block, 2 * block + 1];
    calls.push(
      pooledGradientCall(
        context,
        [middle, between],
        { gradient, places },
        {
          kernel: convolutions[second]!.backward,
          sums: gradientSums(sums, layout.convolutions[second]!),
        },
      ),
      // The first layer's against the normalised voxels: see network.ts.
      denseGradientCall(
        context,
        block === 0 ? normalised : input,
        between,
        gradientSums(sums, layout.convolutions[first]!),
      ),
    );
    if (block > firstBlock) {
      gradient = dense(context, input);
      const weights = { weights: convolutions[first]!.backward, bias: addresses.zeros };
      calls.push(winogradCall(context, weights, [between, gradient], { relu: false }));
    }
  }
  if (firstBlock > 0) return calls;
  const { plane, row, channels, depth, height, width } = middleGradient;
  calls.push(
    callKernel('addRegionSums', {
      ...{ plane, row, channels, depth, height, width },
      gradient: middleGradient.address + middleGradient.inner,
      sums: sums + layout.regions,
    }),
  );
  return calls;
}

/** The program of one thread, whose arena is `context.arena`: all zeros before it runs first. */
export function sampleProgram(plan: SamplePlan, training: boolean): SampleProgram {
  const { context, chunkShape, parameters, addresses, inputNormalisation } = plan;
  const { batch, logits } = addresses;
  const normalised = bordered(context, { ...chunkShape, channels: 1 });
  const input = bordered(context, normalised);
  const blocks = takeBlocks(context, input);
  const features = blocks.at(-1)!.output;
  const featureGradient = dense(context, features);
  const { depth, height, width, plane, row } = input;
  const load = callKernel('loadSample', {
    ...{ batch, depth, height, width, plane, row },
    normalised: normalised.address,
    input: input.address,
    bend: INPUT_NORMALISATIONS.indexOf(inputNormalisation),
  });
  const sums = context.arena.take(parameters.layout.bytes);
  const head = gradientSums(sums, parameters.layout.head);
  const runHead = callKernel('runHead', {
    ...{ batch, logits },
    featureCount: features.depth * features.height * features.width * features.channels,
    features: features.address,
    ...parameters.head,
    weightGradient: training ? head.kernel : 0,
    biasGradient: head.bias,
    featureGradient: featureGradient.address,
  });
  const layers = [
    ['input', input] as const,
    ...blocks.flatMap(({ middle, output }, block) => [
      [`block${block + 1}.conv1`, middle] as const,
      [`block${block + 1}`, output] as const,
    ]),
  ];
  const forward = [load, ...forwardCalls(plan, blocks), runHead];
  if (!training) return { calls: forward, layers };
  const calls = [
    callKernel('clearGradients', { batch, gradients: sums }),
    ...forward,
    ...backwardCalls(plan, blocks, { sums, features: featureGradient, normalised }),
    callKernel('storeGradients', { batch, gradients: sums }),
  ];
  return { calls, layers };
}
