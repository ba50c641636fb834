/** Starts the webgpu backend of tfjs on Dawn. */
import tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { GpuMemoryError } from '../errors.ts';
import { moveEnablesUp } from './kernels/gpu-kernel.ts';
import { gpuNamed, listGpus } from '../gpus.ts';
import { replaceWebgpuKernels } from './replace-kernels.ts';
import { deviceName, startDawn } from './start-dawn.ts';

export interface LoadedWebgpu {
  readonly backend: WebGPUBackend;
  /** For people: what computes. */
  readonly device: string;
  /** Of the GPU, where its driver tells. */
  readonly deviceMemoryBytes: number | undefined;
  /** Does a GPU compute, and not a CPU in its place? */
  readonly isGpu: boolean;
  /**
   * To be called after the device was waited for: it reports faults late, and goes on with zeros.
   * @throws GpuMemoryError where its memory did not suffice, else an error of this library.
   */
  readonly assertSound: () => void;
}

const BACKEND = 'webgpu';

/** tfjs asks `navigator` whether there is WebGPU. Node.js 20 has none, later ones a fixed one. */
function showGpu(gpu: GPU): void {
  const known = globalThis as { navigator?: object };
  known.navigator ??= { userAgent: 'Node.js' };
  Object.defineProperty(known.navigator, 'gpu', { value: gpu, configurable: true });
}

/** Keeps what goes wrong on the device until somebody asks. */
function watchFaults(device: GPUDevice): () => void {
  let fault: Error | undefined;
  device.addEventListener('uncapturederror', (event) => {
    const { error } = event;
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError';
    fault ??= isMemory ? new GpuMemoryError(error.message) : new Error(`internal: WebGPU: ${error.message}`);
  });
  void device.lost.then(({ message }) => {
    fault ??= new Error(`Cannot compute on the GPU: its device must stay, got lost (${message})`);
  });
  return () => {
    const found = fault;
    fault = undefined;
    if (found !== undefined) throw found;
  };
}

async function start(): Promise<LoadedWebgpu> {
  const { device, info, gpu } = await startDawn();
  moveEnablesUp(device);
  // Imported before `navigator.gpu` is there: the module would then start a device of its own, without our features.
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  replaceWebgpuKernels();
  showGpu(gpu);
  tf.enableProdMode();
  const backend = new WebGPUBackend(device, info as GPUAdapterInfo);
  tf.registerBackend(BACKEND, () => backend);
  await tf.setBackend(BACKEND);
  const isGpu = info.isFallbackAdapter !== true;
  const name = deviceName(info);
  return {
    backend,
    device: `${name}, WebGPU (Dawn)`,
    deviceMemoryBytes: isGpu ? gpuNamed(name, await listGpus())?.memoryBytes : undefined,
    isGpu,
    assertSound: watchFaults(device),
  };
}

let started: Promise<LoadedWebgpu> | undefined;

/**
 * The backend, one for all engines of a thread: tfjs knows one by name.
 * @throws EngineUnavailableError where no adapter is found.
 */
export async function loadWebgpu(): Promise<LoadedWebgpu> {
  started ??= start();
  try {
    return await started;
  } catch (error) {
    started = undefined;
    throw error;
  }
}

/** Makes the started backend the current one, at once. It is global to the thread. */
export function useWebgpu(): void {
  if (tf.getBackend() !== BACKEND) void tf.setBackend(BACKEND);
}
