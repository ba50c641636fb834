import tf from '@tensorflow/tfjs';
import type { EngineSettings } from '../engine-settings.ts';
import { DeviceEngine } from './device-engine.ts';
import { startBackend, useBackend } from './load-tfjs.ts';
import { LunaNetwork } from './luna-network.ts';

/** LunaModel on TensorFlow.js: runs wherever Node.js does. */
export class TfjsEngine extends DeviceEngine {
  /**
   * A new model from checked settings, and why it computes where it does.
   * @throws EngineUnavailableError when the backend that was asked for does not start.
   */
  static async start(settings: EngineSettings): Promise<{ engine: TfjsEngine; reason: string }> {
    const { backend, device, reason } = await startBackend(settings.backend);
    const engine = new TfjsEngine(settings, {
      name: 'tfjs',
      device,
      makeNetwork: (specs, firstTrained) => new LunaNetwork(settings.chunkShape, specs, firstTrained),
      memoryBytes: () => tf.memory().numBytes,
      activate: () => useBackend(backend),
    });
    return { engine, reason };
  }
}
