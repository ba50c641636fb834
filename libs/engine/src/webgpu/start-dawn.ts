/**
 * Finds a GPU through Dawn, the WebGPU implementation of Chromium, which npm's `webgpu` package brings as a prebuilt addon: no
 * CUDA, only the driver's Vulkan (Linux), Metal or D3D12.
 */
import { EngineUnavailableError } from '../errors.ts';

/** What `webgpu` exports. */
export interface DawnModule {
  readonly create: (options: readonly string[]) => GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

export interface DawnDevice {
  readonly device: GPUDevice;
  readonly info: AdapterInfo;
  readonly gpu: GPU;
}

/** Of an adapter; newer than the types at hand. */
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Computes on the CPU, as SwiftShader does. */
  readonly isFallbackAdapter?: boolean;
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
}

/** Imports `webgpu`; tests give their own. */
export type ImportDawn = () => Promise<DawnModule>;

const importDawn: ImportDawn = async () => (await import('webgpu')) as unknown as DawnModule;

/** Used where the adapter has them: numbers of 16 bits; sums over lanes without memory; times of kernels. */
const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'] as const;
/** WebGPU's defaults suit phones. The kernels ask for what the adapter has. */
const LIMITS = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
] as const;

/**
 * Dawn clamps every index and clears workgroup memory before each workgroup, for code from unknown web pages. Our kernels check
 * their own indices and write before they read; without those guards SwiftShader compiles them ten times as fast.
 */
const DAWN_OPTIONS = ['enable-dawn-features=allow_unsafe_apis,disable_robustness,disable_workgroup_init'];

const unavailable = (rule: string, cause?: unknown) => new EngineUnavailableError('webgpu', rule, { cause });

async function loadDawn(load: ImportDawn): Promise<DawnModule> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === 'ERR_MODULE_NOT_FOUND' && String(message).includes("'webgpu'")) {
      throw unavailable('webgpu is not installed (npm install --include=optional)', error);
    }
    const [line] = String(message).split('\n');
    throw unavailable(`webgpu is installed but does not load: ${line}`, error);
  }
}

/**
 * The fastest adapter's device. WebGPU's classes become globals, as in browsers; `navigator` does not.
 * @throws EngineUnavailableError where the module or an adapter is missing.
 */
export async function startDawn(load = importDawn): Promise<DawnDevice> {
  const { create, globals } = await loadDawn(load);
  for (const [name, value] of Object.entries(globals)) {
    (globalThis as Record<string, unknown>)[name] ??= value;
  }
  const gpu = create(DAWN_OPTIONS);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw unavailable('no GPU answers (its driver must bring Vulkan, and Linux needs libvulkan1)');
  }
  const { info } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((feature) =>
      adapter.features.has(feature),
    ) as readonly string[] as GPUFeatureName[],
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
  });
  return { device, info, gpu };
}

/** For people. */
export function deviceName({
  vendor,
  architecture,
  device,
  description,
  isFallbackAdapter,
}: AdapterInfo): string {
  const name =
    [description, device, `${vendor} ${architecture}`].find((each) => each.trim() !== '') ?? 'unnamed';
  return isFallbackAdapter === true ? `${name} (on the CPU)` : name;
}
