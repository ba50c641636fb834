/**
 * What a kernel is to the rest: WGSL with named arrays, run through tfjs's webgpu backend, which keeps buffers, pipelines and
 * the queue. Its kernels see tensors as flat arrays.
 */
import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

/** Values of a step that the code reads as `uniforms.<name>`. */
export interface KernelUniform {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  /** One to four values; with three a `vec3`. */
  readonly data: number[];
}

export interface GpuKernel {
  /** Equal for equal code: pipelines are kept under it. */
  readonly key: string;
  /** Arrays that the code reads, in the order of the tensors given, with the values of an element: 1 or 4. */
  readonly inputs: readonly (readonly [name: string, components: 1 | 4])[];
  readonly output: {
    readonly shape: readonly number[];
    /** Values of an element of `result`. */
    readonly components: 1 | 4;
  };
  readonly uniforms: readonly KernelUniform[];
  /** Threads of a workgroup. */
  readonly threads: number;
  readonly workgroups: number;
  /** WGSL declarations and `fn main(thread: i32)`; may use `groupIndex()` and `laneIndex()`. */
  readonly code: string;
}

const PRELUDE = `
fn groupIndex() -> i32 {
  return i32((workgroupId.z * numWorkgroups.y + workgroupId.y) * numWorkgroups.x + workgroupId.x);
}
fn laneIndex() -> i32 { return i32(localIndex); }
`;

function declare({ name, type, data }: KernelUniform): string {
  const scalar = type === 'int32' ? 'i32' : 'f32';
  return `${name}: ${data.length === 1 ? scalar : `vec${data.length}<${scalar}>`},`;
}

function toProgram(kernel: GpuKernel): WebGPUProgram {
  const { key, inputs, output, uniforms, threads, workgroups, code } = kernel;
  return {
    shaderKey: `lunastream-${key}`,
    variableNames: inputs.map(([name]) => name),
    variableComponents: inputs.map(([, components]) => components),
    outputShape: [...output.shape],
    outputComponent: output.components,
    uniforms: uniforms.map(declare).join(' '),
    workgroupSize: [threads, 1, 1],
    // The backend makes it two- or three-dimensional where it is too long for one.
    dispatch: [workgroups, 1, 1],
    dispatchLayout: { x: [0] },
    getUserCode: () => PRELUDE + code,
  };
}

/**
 * Puts the kernel on the queue. Gives a new tensor, or `into`, which the code then also reads as `result`: a tensor changed in
 * place must not be read by `data()`, since tfjs may have kept its values (take a copy).
 */
export function runKernel(
  backend: WebGPUBackend,
  kernel: GpuKernel,
  tensors: readonly TensorInfo[],
  into?: TensorInfo,
): TensorInfo {
  const uniforms = kernel.uniforms.map(({ type, data }) => ({ type, data }));
  return backend.runWebGPUProgram(toProgram(kernel), [...tensors], 'float32', uniforms, into);
}
