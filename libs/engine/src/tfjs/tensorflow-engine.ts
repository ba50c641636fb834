import type { EngineSettings } from '../engine-settings.ts';
import { DeviceEngine } from './device-engine.ts';
import { EngineUnavailableError } from '../errors.ts';
import { GROUP_SAMPLES, GroupNetwork } from './group-network.ts';
import { GPU_MODULES, loadTensorflow, type LoadedTensorflow } from './load-tensorflow.ts';

/** TensorFlow takes the CPU without an error where it misses something, and says what on standard error only. */
const NO_GPU =
  "found no GPU: NVIDIA's driver and all of CUDA's libraries must be there (TF_CPP_MIN_LOG_LEVEL=0 tells which is missing)";

/** LunaModel on TensorFlow's native library, where its optional module is installed: oneDNN on a CPU, CUDA on a GPU. */
export class TensorflowEngine extends DeviceEngine {
  /**
   * A new model from checked settings, and why it computes where it does. `groupSamples` pass the network together.
   * @throws EngineUnavailableError where the module is missing or does not load.
   */
  static async start(
    settings: EngineSettings,
    {
      load = () => loadTensorflow(),
      groupSamples = GROUP_SAMPLES,
    }: { readonly load?: () => Promise<LoadedTensorflow>; readonly groupSamples?: number } = {},
  ): Promise<{ engine: TensorflowEngine; reason: string }> {
    const { tf, device, deviceMemoryBytes, usesGpu, module } = await load();
    const backend = tf.getBackend();
    const engine = new TensorflowEngine(settings, {
      ...{ name: 'tensorflow', device, deviceMemoryBytes },
      memoryBytes: () => tf.memory().numBytes,
      makeNetwork: (specs, firstTrained) =>
        new GroupNetwork(tf, settings.chunkShape, { specs, firstTrained, groupSamples }),
      // The current backend is global to all of tfjs; the switch to a started one is synchronous.
      activate: () => {
        if (tf.getBackend() !== backend) void tf.setBackend(backend);
      },
    });
    return { engine, reason: `${module} ${usesGpu ? 'found a GPU' : 'found no GPU and takes the CPU'}` };
  }

  /** As `start`, but only on a GPU. */
  static async startOnGpu(
    settings: EngineSettings,
    load = () => loadTensorflow({ modules: GPU_MODULES }),
  ): Promise<{ engine: TensorflowEngine; reason: string }> {
    const loaded = await load();
    if (!loaded.usesGpu) throw new EngineUnavailableError('tensorflow', `${loaded.module} ${NO_GPU}`);
    return TensorflowEngine.start(settings, { load: () => Promise.resolve(loaded) });
  }
}
