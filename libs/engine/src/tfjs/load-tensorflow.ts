/**
 * Finds TensorFlow's native library for Node.js, an optional peer: nobody has to install it, since it downloads 0.1 to
 * 0.5 GB from elsewhere while it installs.
 */
import { createRequire } from 'node:module';
import type tfjs from '@tensorflow/tfjs';
import { EngineUnavailableError } from '../errors.ts';
import { listGpus, type Gpu } from '../gpus.ts';

/** What the engine uses of tfjs, from whichever module has it. */
export type Tensorflow = typeof tfjs;

export interface LoadedTensorflow {
  readonly tf: Tensorflow;
  /** For people: what computes. */
  readonly device: string;
  /** Of the GPU, where it computes and its driver tells. */
  readonly deviceMemoryBytes?: number | undefined;
  readonly usesGpu: boolean;
  /** Package that was found. */
  readonly module: string;
}

/** Also for types: not installed where this compiles. */
interface NodeBackend {
  readonly isUsingGpuDevice?: boolean;
}

/** The faster first. */
const MODULES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
type TensorflowModule = (typeof MODULES)[number];
/** What `auto` looks for: without a GPU the simd engine is faster. */
export const GPU_MODULES = [MODULES[0]] as const;
const BACKEND = 'tensorflow';

/** Imports one of the modules; tests give their own. */
export type ImportModule = (name: TensorflowModule) => Promise<unknown>;

const importModule: ImportModule = (name) =>
  name === '@tensorflow/tfjs-node-gpu'
    ? import('@tensorflow/tfjs-node-gpu')
    : import('@tensorflow/tfjs-node');

/** tfjs-node 4.22 calls what Node.js 23 took out of `util`. */
function mendUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  util['isArray'] ??= (value: unknown) => Array.isArray(value);
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === 'ERR_MODULE_NOT_FOUND' && String(message).includes(`'${name}'`);
}

/** As the system's loader tells of it. */
const MISSING_LIBRARY = /^(lib[^\s:]+): cannot open shared object file/;

/** What is wrong with an installed module, and what to do. */
function faultOf(name: TensorflowModule, error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  const library = MISSING_LIBRARY.exec(line!)?.[1];
  if (library === undefined) return `${name} is installed but does not load: ${line} (npm rebuild ${name})`;
  const isOfTensorflow = library.startsWith('libtensorflow');
  const remedy = isOfTensorflow
    ? 'build the module again where TensorFlow lies now, or with --copy (tools/tensorflow-engine)'
    : "install CUDA's libraries (pip install tensorflow[and-cuda]) and build the module with --gpu (tools/tensorflow-engine)";
  return `${name} is installed but does not find ${library}: ${remedy}`;
}

async function startModule(
  name: TensorflowModule,
  load: ImportModule,
  gpus: () => Promise<readonly Gpu[]>,
): Promise<LoadedTensorflow> {
  const loaded = (await load(name)) as { readonly default?: Tensorflow } & Tensorflow;
  const tf = loaded.default ?? loaded;
  tf.enableProdMode();
  if (!(await tf.setBackend(BACKEND))) throw new Error(`its backend ${BACKEND} did not start`);
  const usesGpu = (tf.backend() as NodeBackend).isUsingGpuDevice === true;
  // TensorFlow takes the first one.
  const [gpu] = usesGpu ? await gpus() : [];
  const place = usesGpu ? `on a GPU${gpu === undefined ? '' : `, ${gpu.name}`}` : 'on the CPU';
  const device = `TensorFlow ${place} (${name})`;
  return { tf, usesGpu, module: name, device, deviceMemoryBytes: gpu?.memoryBytes };
}

export interface LoadTensorflowOptions {
  readonly load?: ImportModule;
  readonly gpus?: () => Promise<readonly Gpu[]>;
  /** Packages to try, in order. */
  readonly modules?: readonly TensorflowModule[];
}

/**
 * The first of the modules that is installed and starts.
 * @throws EngineUnavailableError that says what to do: none is installed, or why none starts.
 */
export async function loadTensorflow({
  load = importModule,
  gpus = listGpus,
  modules = MODULES,
}: LoadTensorflowOptions = {}): Promise<LoadedTensorflow> {
  mendUtil();
  const failures: string[] = [];
  let cause: unknown;
  for (const name of modules) {
    try {
      return await startModule(name, load, gpus);
    } catch (error) {
      if (isMissing(error, name)) continue;
      cause = error;
      failures.push(faultOf(name, error));
    }
  }
  const rule =
    failures.length > 0
      ? failures.join('; ')
      : `${modules.join(' or ')} is not installed ` +
        `(npm install ${modules.at(-1)!}, which downloads TensorFlow while it installs)`;
  throw new EngineUnavailableError('tensorflow', rule, { cause });
}
