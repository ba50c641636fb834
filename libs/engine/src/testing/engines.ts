/** Every engine that the shared suites run on. For tests only. */
import tf from '@tensorflow/tfjs';
import type { EngineSettings } from '../engine-settings.ts';
import { SimdEngine } from '../simd/simd-engine.ts';
import { registerSimdBackend } from '../simd-tfjs/register-simd-backend.ts';
import { loadTensorflow, type LoadedTensorflow } from '../tfjs/load-tensorflow.ts';
import { TensorflowEngine } from '../tfjs/tensorflow-engine.ts';
import { TfjsEngine } from '../tfjs/tfjs-engine.ts';
import { loadWebgpu } from '../webgpu/load-webgpu.ts';
import { WebgpuEngine } from '../webgpu/webgpu-engine.ts';
import { WEBGPU_FAULT } from './webgpu.ts';

export type EngineUnderTest = SimdEngine | TfjsEngine | TensorflowEngine | WebgpuEngine;

export interface EngineCase {
  /** For the suite's title; says why where it is skipped. */
  readonly title: string;
  readonly isSkipped: boolean;
  readonly start: (settings: Omit<EngineSettings, 'engine'>) => Promise<{ engine: EngineUnderTest }>;
}

/** Whatever keeps the module from starting keeps its suites from running. */
const tensorflowFault: string | undefined = await loadTensorflow().then(
  () => undefined,
  (error: unknown) => (error as Error).message,
);

/** A CPU in the GPU's place would take an hour: there its own test runs every kernel in small shapes. */
const webgpuFault =
  WEBGPU_FAULT ??
  ((await loadWebgpu()).isGpu ? undefined : 'no GPU (webgpu-engine.test.ts runs without one)');

/** The tensorflow engine's network runs on any backend of tfjs: here on ours, so that it is tested everywhere. */
let simdBackend: Promise<unknown> | undefined;
async function loadSimdBackend(): Promise<LoadedTensorflow> {
  tf.enableProdMode();
  simdBackend ??= registerSimdBackend({ threads: 2 });
  await simdBackend;
  await tf.setBackend('simd');
  return { tf, device: "tfjs's simd backend", usesGpu: false, module: '@tensorflow/tfjs' };
}

export const ENGINE_CASES: readonly EngineCase[] = [
  {
    title: 'simd',
    isSkipped: false,
    start: (settings) => SimdEngine.start({ ...settings, engine: 'simd' }),
  },
  {
    title: 'tfjs',
    isSkipped: false,
    start: (settings) => TfjsEngine.start({ ...settings, engine: 'tfjs' }),
  },
  {
    title: 'tensorflow, its network on the simd backend of tfjs',
    isSkipped: false,
    start: (settings) =>
      TensorflowEngine.start(
        { ...settings, engine: 'tensorflow' },
        { load: loadSimdBackend, groupSamples: 4 },
      ),
  },
  {
    title: webgpuFault === undefined ? 'webgpu' : `webgpu [skipped: ${webgpuFault}]`,
    isSkipped: webgpuFault !== undefined,
    start: (settings) => WebgpuEngine.start({ ...settings, engine: 'webgpu' }),
  },
  {
    title: tensorflowFault === undefined ? 'tensorflow' : `tensorflow [skipped: ${tensorflowFault}]`,
    isSkipped: tensorflowFault !== undefined,
    start: (settings) => TensorflowEngine.start({ ...settings, engine: 'tensorflow' }),
  },
];
