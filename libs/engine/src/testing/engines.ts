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
  /** Computes on a CPU what is made for a GPU: half a second a sample of 16x16x16, minutes a sample of the chapter's size. */
  readonly isSlow: boolean;
  readonly start: (settings: Omit<EngineSettings, 'engine'>) => Promise<{ engine: EngineUnderTest }>;
}

/** Whatever keeps the module from starting keeps its suites from running. */
const tensorflowFault: string | undefined = await loadTensorflow().then(
  () => undefined,
  (error: unknown) => (error as Error).message,
);

const webgpuIsSlow = WEBGPU_FAULT === undefined && !(await loadWebgpu()).isGpu;

/** `isSlow` leaves the suites of the chapter's size out, by name. */
export const skipsLargeChunks = ({ isSkipped, isSlow }: EngineCase) => isSkipped || isSlow;

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
    isSlow: false,
    start: (settings) => SimdEngine.start({ ...settings, engine: 'simd' }),
  },
  {
    title: 'tfjs',
    isSkipped: false,
    isSlow: false,
    start: (settings) => TfjsEngine.start({ ...settings, engine: 'tfjs' }),
  },
  {
    title: 'tensorflow, its network on the simd backend of tfjs',
    isSkipped: false,
    isSlow: false,
    start: (settings) =>
      TensorflowEngine.start(
        { ...settings, engine: 'tensorflow' },
        { load: loadSimdBackend, groupSamples: 4 },
      ),
  },
  {
    title: WEBGPU_FAULT === undefined ? 'webgpu' : `webgpu [skipped: ${WEBGPU_FAULT}]`,
    isSkipped: WEBGPU_FAULT !== undefined,
    isSlow: webgpuIsSlow,
    start: (settings) => WebgpuEngine.start({ ...settings, engine: 'webgpu' }),
  },
  {
    title: tensorflowFault === undefined ? 'tensorflow' : `tensorflow [skipped: ${tensorflowFault}]`,
    isSkipped: tensorflowFault !== undefined,
    isSlow: false,
    start: (settings) => TensorflowEngine.start({ ...settings, engine: 'tensorflow' }),
  },
];
