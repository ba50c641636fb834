/**
 * What a kernel is to the rest: WGSL with named arrays, run through tfjs's webgpu backend, which keeps buffers, pipelines and
 * the queue. Its kernels see tensors as flat arrays.
 */
import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type { Storage } from '../../engine-settings.ts';

/** How an array's values lie in a device's buffer. Whatever it is, kernels compute in float32. */
export type { Storage };

/** Values of a step that the code reads as `uniforms.<name>`. */
export interface KernelUniform {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  /** One to four values; with three a `vec3`. */
  readonly data: number[];
}

/** What a device's shaders may use beyond WebGPU's core. */
export interface Capabilities {
  /** WGSL's type f16; without it 16 bits are packed and unpacked in pairs. */
  readonly float16: boolean;
  /** Operations among the threads that an instruction runs for. */
  readonly subgroups: boolean;
}

export function capabilitiesOf({ features }: Pick<GPUDevice, 'features'>): Capabilities {
  return { float16: features.has('shader-f16'), subgroups: features.has('subgroups') };
}

export interface GpuKernel {
  /** Equal for equal code: pipelines are kept under it. */
  readonly key: string;
  /**
   * Arrays that the code reads, in the order of the tensors given, with the values of an element: 1 or 4. `xAt(index)` gives
   * an element of `x` however the tensor is stored.
   */
  readonly inputs: readonly (readonly [name: string, components: 1 | 4])[];
  readonly output: {
    readonly shape: readonly number[];
    /** Values of an element of `result`. */
    readonly components: 1 | 4;
    /** With float16 elements are of four values, written by `setResult(index, value)` and limited to ±65504. Default: float32. */
    readonly storage?: Storage;
  };
  readonly uniforms: readonly KernelUniform[];
  /** Threads of a workgroup. */
  readonly threads: number;
  readonly workgroups: number;
  /** WGSL declarations and `fn main(thread: i32)`; may use `groupIndex()` and `laneIndex()`. */
  readonly code: string;
  /** The type of which `sumOfGroup(value)` adds each thread's value, for all threads of a workgroup together. */
  readonly groupSum?: 'f32' | 'vec2<f32>' | 'vec4<f32>';
}

const PRELUDE = `
fn groupIndex() -> i32 {
  return i32((workgroupId.z * numWorkgroups.y + workgroupId.y) * numWorkgroups.x + workgroupId.x);
}
fn laneIndex() -> i32 { return i32(localIndex); }
`;

const LARGEST_FLOAT16 = '65504.0';

/** Two values of 16 bits lie in a word, four in two words: tfjs sees int32. */
export const FLOAT16_TYPE = 'int32';
const storageOf = ({ dtype }: TensorInfo): Storage => (dtype === FLOAT16_TYPE ? 'float16' : 'float32');
const wordsOf = (components: 1 | 4, storage: Storage): number =>
  storage === 'float16' && components === 4 ? 2 : components;

/** Reads an element as float32. */
function reader([name, components]: GpuKernel['inputs'][number], storage: Storage, native: boolean): string {
  const head = (type: string) => `fn ${name}At(index: i32) -> ${type}`;
  if (storage === 'float32') {
    return `${head(components === 4 ? 'vec4<f32>' : 'f32')} { return ${name}[index]; }`;
  }
  if (components === 1) {
    const pair = native
      ? `vec2<f32>(bitcast<vec2<f16>>(${name}[index / 2]))`
      : `unpack2x16float(bitcast<u32>(${name}[index / 2]))`;
    return `${head('f32')} { let pair = ${pair}; return select(pair.y, pair.x, index % 2 == 0); }`;
  }
  if (native) return `${head('vec4<f32>')} { return vec4<f32>(bitcast<vec4<f16>>(${name}[index])); }`;
  return `${head('vec4<f32>')} {
  let words = bitcast<vec2<u32>>(${name}[index]);
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}`;
}

function writer({ components, storage }: GpuKernel['output'], native: boolean): string {
  if (storage !== 'float16') {
    const type = components === 4 ? 'vec4<f32>' : 'f32';
    return `fn setResult(index: i32, value: ${type}) { result[index] = value; }`;
  }
  const words = native
    ? 'bitcast<vec2<i32>>(vec4<f16>(limited))'
    : 'bitcast<vec2<i32>>(vec2<u32>(pack2x16float(limited.xy), pack2x16float(limited.zw)))';
  return `fn setResult(index: i32, value: vec4<f32>) {
  let limited = clamp(value, vec4<f32>(-${LARGEST_FLOAT16}), vec4<f32>(${LARGEST_FLOAT16}));
  result[index] = ${words};
}`;
}

/** Halves the number of sums, in workgroup memory, until one is left. */
function sumByMemory(type: string, threads: number): string {
  return `
var<workgroup> groupSums: array<${type}, ${threads}>;
fn sumOfGroup(value: ${type}) -> ${type} {
  groupSums[laneIndex()] = value;
  workgroupBarrier();
  for (var half = ${threads / 2}; half > 0; half /= 2) {
    if (laneIndex() < half) { groupSums[laneIndex()] += groupSums[laneIndex() + half]; }
    workgroupBarrier();
  }
  let sum = groupSums[0];
  // The next call writes there.
  workgroupBarrier();
  return sum;
}`;
}

/**
 * Adds within subgroups, of whatever size, and then the subgroups' sums, each left where the first of its threads has its
 * place. Which threads make a subgroup is the device's own affair, and always the same on it.
 */
function sumBySubgroups(type: string, threads: number): string {
  return `
var<workgroup> groupSums: array<${type}, ${threads}>;
fn sumOfGroup(value: ${type}) -> ${type} {
  let rank = i32(subgroupExclusiveAdd(1u));
  let size = i32(subgroupAdd(1u));
  let sum = subgroupAdd(value);
  groupSums[laneIndex()] = select(${type}(0.0), sum, rank == 0);
  workgroupBarrier();
  var rest = ${type}(0.0);
  for (var place = rank; place < ${threads}; place += size) { rest += groupSums[place]; }
  workgroupBarrier();
  return subgroupAdd(rest);
}`;
}

function preludeOf(
  { inputs, output, groupSum, threads }: GpuKernel,
  storages: readonly Storage[],
  { float16, subgroups }: Capabilities,
): string {
  const native = float16 && [...storages, output.storage].includes('float16');
  const sums = groupSum === undefined ? '' : (subgroups ? sumBySubgroups : sumByMemory)(groupSum, threads);
  return [
    native ? 'enable f16;' : '',
    groupSum !== undefined && subgroups ? 'enable subgroups;' : '',
    PRELUDE,
    ...inputs.map((input, index) => reader(input, storages[index]!, native)),
    writer(output, native),
    sums,
  ].join('\n');
}

const ENABLE = /^enable \w+;$/gm;

/** WGSL wants `enable` before all else, and tfjs puts declarations of its own before a kernel's code: the device moves them. */
export function moveEnablesUp(device: GPUDevice): void {
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    const enables = descriptor.code.match(ENABLE) ?? [];
    return create({ ...descriptor, code: [...enables, descriptor.code.replace(ENABLE, '')].join('\n') });
  };
}

function declare({ name, type, data }: KernelUniform): string {
  const scalar = type === 'int32' ? 'i32' : 'f32';
  return `${name}: ${data.length === 1 ? scalar : `vec${data.length}<${scalar}>`},`;
}

function toProgram(
  kernel: GpuKernel,
  tensors: readonly TensorInfo[],
  capabilities: Capabilities,
): WebGPUProgram {
  const { key, inputs, output, uniforms, threads, workgroups, code } = kernel;
  const { shape, components, storage = 'float32' } = output;
  const storages = tensors.map(storageOf);
  const letters = [...storages, storage].map((each) => (each === 'float16' ? 'h' : 'f')).join('');
  const variant = `${letters}${capabilities.float16 ? 'n' : ''}${capabilities.subgroups ? 's' : ''}`;
  const outputShape = shape.map((side, axis) =>
    storage === 'float16' && axis === shape.length - 1 ? side / 2 : side,
  );
  return {
    shaderKey: `lunastream-${key}:${variant}`,
    variableNames: inputs.map(([name]) => name),
    variableComponents: inputs.map(([, each], index) => wordsOf(each, storages[index]!)),
    outputShape,
    outputComponent: wordsOf(components, storage),
    uniforms: uniforms.map(declare).join(' '),
    workgroupSize: [threads, 1, 1],
    // The backend makes it two- or three-dimensional where it is too long for one.
    dispatch: [workgroups, 1, 1],
    dispatchLayout: { x: [0] },
    getUserCode: () => preludeOf(kernel, storages, capabilities) + code,
  };
}

export interface RunOptions {
  /** Where the result goes instead of a new tensor; the code then also reads it as `result`. */
  readonly into?: TensorInfo | undefined;
  /** Default: all that the device has. */
  readonly capabilities?: Capabilities;
}

/**
 * Puts the kernel on the queue. Gives a new tensor (int32 and half as long where it holds float16), or `into`: a tensor changed
 * in place must not be read by `data()`, since tfjs may have kept its values (take a copy).
 */
export function runKernel(
  backend: WebGPUBackend,
  kernel: GpuKernel,
  tensors: readonly TensorInfo[],
  { into, capabilities = capabilitiesOf(backend.device) }: RunOptions = {},
): TensorInfo {
  const { storage, components, shape } = kernel.output;
  const isHalf = storage === 'float16';
  if (isHalf && (components !== 4 || shape.at(-1)! % 4 !== 0)) {
    throw new Error(`internal: float16 comes in fours, got ${shape.join('x')}`);
  }
  const uniforms = kernel.uniforms.map(({ type, data }) => ({ type, data }));
  const program = toProgram(kernel, tensors, capabilities);
  return backend.runWebGPUProgram(program, [...tensors], isHalf ? FLOAT16_TYPE : 'float32', uniforms, into);
}
