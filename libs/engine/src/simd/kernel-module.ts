/** The compiled AssemblyScript of `kernels/`. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { EngineUnavailableError } from '../errors.ts';
import { FIRST_ADDRESS } from './shared-memory.ts';
import { webAssembly, type WasmMemory, type WasmModule } from './web-assembly.ts';

/** What kernels/index.ts exports. */
export interface KernelExports {
  runJob(control: number, helpers: number): void;
  /** Where the module's own constants end. */
  constantsEnd(): number;
  serve(control: number, thread: number, generation: number): void;
}

/** By package name: this file runs from src in tests and from dist in services, the kernels lie beside both. */
const KERNELS = '@lunastream/engine/kernels.wasm';

let compiled: WasmModule | undefined;

/**
 * The module, compiled once per thread.
 * @throws EngineUnavailableError where it is missing or WebAssembly lacks SIMD or threads.
 */
export function kernelModule(): WasmModule {
  try {
    compiled ??= new webAssembly.Module(readFileSync(createRequire(import.meta.url).resolve(KERNELS)));
    return compiled;
  } catch (cause) {
    const rule = 'its kernels must be compiled (npm run setup), and WebAssembly must have SIMD and threads';
    throw new EngineUnavailableError('simd', rule, { cause });
  }
}

/** The kernels over a memory whose addresses below `FIRST_ADDRESS` nobody else uses. */
export function instantiateKernels(memory: WasmMemory): KernelExports {
  const { exports } = new webAssembly.Instance(kernelModule(), { env: { memory } });
  const kernels = exports as unknown as KernelExports;
  if (kernels.constantsEnd() > FIRST_ADDRESS)
    throw new Error('internal: the kernels have too many constants');
  return kernels;
}
