/** What a device can do at most: float32 multiply-adds from registers, and bytes through its memory. Kernels are judged by it. */
import { loadWebgpu } from './load-webgpu.ts';

export interface DeviceCeiling {
  /** Float32 operations, a multiply-add counted as two, in 10^12 a second. */
  readonly teraflops: number;
  /** Read and written together, in 10^9 bytes a second. */
  readonly gigabytesPerSecond: number;
}

export interface CeilingOptions {
  /** Threads that multiply, a multiple of 256. */
  readonly threads: number;
  /** Of each of two arrays, a multiple of 16; larger than the device's caches. */
  readonly arrayBytes: number;
  /** A measurement repeats its work until it takes so long. */
  readonly leastMs: number;
  readonly measurements: number;
}

/** Eight of an H200's full rounds of threads, and several times its cache of 50 MB. */
const ON_GPU: CeilingOptions = { threads: 2 ** 21, arrayBytes: 2 ** 28, leastMs: 50, measurements: 5 };
/** A CPU in a GPU's place: less of everything, in seconds. */
const ON_CPU: CeilingOptions = { threads: 2 ** 12, arrayBytes: 2 ** 24, leastMs: 50, measurements: 3 };

const GROUP_THREADS = 256;
const VECTORS = 4;
/** Multiply-adds of each vector in a round: the loop itself must not count. */
const UNROLLED = 16;
/** The sum of a thread's chains stays a whole number that float32 holds. */
const MOST_ROUNDS = 2 ** 17;
const MOST_COPIES = 2 ** 12;
const BYTES_OF_FOUR = 16;

/** Several chains of multiply-adds in each thread, so that none waits for its own last result. `factors` are ones unknown to the compiler. */
const MULTIPLY_ADD = `
struct Work { rounds: u32 }
@group(0) @binding(0) var<storage, read> factors: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> work: Work;
@compute @workgroup_size(${GROUP_THREADS}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = factors[0];
  let term = factors[1];
${Array.from({ length: VECTORS }, (_, chain) => `  var sum${chain} = vec4<f32>(${chain}.0, f32(id.x % 64), 0.0, 1.0);`).join('\n')}
  for (var round = 0u; round < work.rounds; round++) {
${Array.from({ length: UNROLLED * VECTORS }, (_, step) => `    sum${step % VECTORS} = fma(sum${step % VECTORS}, factor, term);`).join('\n')}
  }
  results[id.x] = ${Array.from({ length: VECTORS }, (_, chain) => `sum${chain}`).join(' + ')};
}`;

const COPY = `
@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;
@compute @workgroup_size(${GROUP_THREADS})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.y * groups.x * ${GROUP_THREADS} + id.x;
  if (index < arrayLength(&source)) { destination[index] = source[index] + vec4<u32>(1); }
}`;

const STORAGE = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

async function readBack(device: GPUDevice, source: GPUBuffer): Promise<ArrayBuffer> {
  const copy = device.createBuffer({
    size: source.size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, copy, 0, source.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(0);
  copy.destroy();
  return bytes;
}

/** A kernel with its arrays, that does `amount` of its work and is waited for. */
interface Workload {
  readonly run: (amount: number) => Promise<void>;
  readonly most: number;
}

/** Shortest time for a unit of work, in seconds: of work that takes at least `leastMs`, doubled until it does. */
async function secondsPerUnit(
  { run, most }: Workload,
  { leastMs, measurements }: CeilingOptions,
): Promise<number> {
  let amount = 1;
  const measure = async () => {
    const start = performance.now();
    await run(amount);
    return performance.now() - start;
  };
  // The first compiles.
  await measure();
  while (amount < most && (await measure()) < leastMs) amount = Math.min(2 * amount, most);
  let shortest = Infinity;
  for (let times = 0; times < measurements; times++) shortest = Math.min(shortest, await measure());
  return shortest / 1000 / amount;
}

function pipelineOf(device: GPUDevice, code: string): GPUComputePipeline {
  const module = device.createShaderModule({ code });
  return device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
}

function bind(device: GPUDevice, pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[]): GPUBindGroup {
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
}

async function measureMultiplyAdds(device: GPUDevice, options: CeilingOptions): Promise<number> {
  const { threads } = options;
  const pipeline = pipelineOf(device, MULTIPLY_ADD);
  const factors = device.createBuffer({ size: 2 * BYTES_OF_FOUR, usage: STORAGE() });
  device.queue.writeBuffer(factors, 0, new Float32Array(8).fill(1));
  const results = device.createBuffer({ size: threads * BYTES_OF_FOUR, usage: STORAGE() });
  const work = device.createBuffer({ size: 4, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  const group = bind(device, pipeline, [factors, results, work]);
  let last = 0;
  const run = async (rounds: number) => {
    last = rounds;
    device.queue.writeBuffer(work, 0, Uint32Array.of(rounds));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(threads / GROUP_THREADS);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  };
  const seconds = await secondsPerUnit({ run, most: MOST_ROUNDS }, options);
  const values = new Float32Array(await readBack(device, results));
  for (const buffer of [factors, results, work]) buffer.destroy();
  // Each of a round's terms is one: whole numbers, exact in float32.
  const added = VECTORS * UNROLLED * last;
  values.forEach((value, index) => {
    const chains = (VECTORS * (VECTORS - 1)) / 2;
    const start = [chains, VECTORS * (Math.floor(index / 4) % 64), 0, VECTORS][index % 4]!;
    assertRight('sum', value, start + added);
  });
  return (threads * VECTORS * 4 * UNROLLED * 2) / seconds / 1e12;
}

async function measureCopies(device: GPUDevice, options: CeilingOptions): Promise<number> {
  const size = Math.min(options.arrayBytes, device.limits.maxStorageBufferBindingSize);
  const pipeline = pipelineOf(device, COPY);
  const buffers = [0, 1].map(() => device.createBuffer({ size, usage: STORAGE() }));
  const groups = [buffers, [...buffers].reverse()].map((pair) => bind(device, pipeline, pair));
  const workgroups = Math.ceil(size / BYTES_OF_FOUR / GROUP_THREADS);
  const columns = Math.min(workgroups, device.limits.maxComputeWorkgroupsPerDimension);
  let copies = 0;
  const run = async (count: number) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (let copy = 0; copy < count; copy++) {
      pass.setBindGroup(0, groups[copies++ % 2]);
      pass.dispatchWorkgroups(columns, Math.ceil(workgroups / columns));
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  };
  const seconds = await secondsPerUnit({ run, most: MOST_COPIES }, options);
  // New buffers hold zeros, and each copy adds one.
  const values = new Uint32Array(await readBack(device, buffers[copies % 2]!));
  for (const buffer of buffers) buffer.destroy();
  for (const value of values) assertRight('copy', value, copies);
  return (2 * size) / seconds / 1e9;
}

function assertRight(what: string, value: number, expected: number): void {
  if (value !== expected)
    throw new Error(`internal: WebGPU gives ${value} as ${what} where ${expected} is right`);
}

/**
 * What the device that the webgpu engine computes on can do at most, in a second or two; results are checked. Nothing else
 * should compute meanwhile.
 * @throws EngineUnavailableError where no adapter is found.
 */
export async function measureFloatCeiling(options: Partial<CeilingOptions> = {}): Promise<DeviceCeiling> {
  const { backend, isGpu, assertSound } = await loadWebgpu();
  const { device } = backend;
  const chosen = { ...(isGpu ? ON_GPU : ON_CPU), ...options };
  const teraflops = await measureMultiplyAdds(device, chosen);
  const gigabytesPerSecond = await measureCopies(device, chosen);
  assertSound();
  return { teraflops, gigabytesPerSecond };
}
