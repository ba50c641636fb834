import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { webAssembly, type WasmMemory, type WasmModule } from './web-assembly.ts';

/** An address or a number of bytes in a kernel's memory. */
export type Address = number;

/**
 * The WebAssembly kernels of `kernels/`, where each is described. They work in memory that their caller lays out; shapes
 * are in voxels, C order. Nothing is checked there.
 */
export interface Kernels {
  readonly memoryStart: () => Address;
  readonly tileMemoryBytes: (depth: number, width: number) => number;
  readonly setSample: (
    ...sample: [...shape: Triple, at: Address, isFloat16: boolean, working: Address]
  ) => void;
  readonly setIntensity: (gain: number, bias: number) => void;
  readonly setNoise: (
    sigmaHu: number,
    ...stream: [runSeed: number, epoch: number, ordinal: number, purpose: number]
  ) => void;
  readonly makeWords: (firstBlock: number, from: Address, end: Address) => void;
  readonly largestMagnitude: (source: Address, count: number) => number;
  readonly convertInt16: (source: Address, count: number, target: Address) => void;
  readonly copyBoxOfInt16: (start: Address, rowBytes: number, sliceBytes: number) => void;
  readonly copyBoxOfFloat32: (start: Address, rowBytes: number, sliceBytes: number) => void;
  readonly resampleSlicesOfInt16: ResampleSlices;
  readonly resampleSlicesOfFloat32: ResampleSlices;
  readonly resampleColumns: (
    ...columns: [at: Address, rows: number, columns: number, paddedDepth: number, ...x: Triple, ...y: Triple]
  ) => number;
  readonly resampleGeneral: (source: Address, ...of: [...shape: Triple, matrix: Address]) => number;
  readonly displacementBytes: (height: number, width: number, spacing: number) => number;
  readonly setDisplacement: (
    controls: Address,
    ...grid: [...shape: Triple, spacing: number, working: Address]
  ) => void;
  readonly clearDisplacement: () => void;
  /** A signed 32-bit number. */
  readonly checksum: (at: Address, end: Address, isFloat16: boolean) => number;
  readonly plainSum: () => number;
  readonly wereFinite: () => number;
  /** A signed 32-bit number. */
  readonly widenInt16: (source: Address, at: Address, end: Address) => number;
}

type Triple = [number, number, number];

type ResampleSlices = (
  source: Address,
  ...box: [
    rowBytes: number,
    rows: number,
    columns: number,
    table: Address,
    paddedDepth: number,
    target: Address,
  ]
) => void;

let compiled: WasmModule | undefined;

/** The kernels over `memory`, with a state of their own. Compiled once per thread, when first asked for. */
export function createKernels(memory: WasmMemory): Kernels {
  compiled ??= new webAssembly.Module(
    readFileSync(createRequire(import.meta.url).resolve('@lunastream/augmentation/kernels.wasm')),
  );
  const { exports } = new webAssembly.Instance(compiled, { env: { memory } });
  return exports as unknown as Kernels;
}
