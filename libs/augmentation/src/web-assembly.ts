/** The part of the WebAssembly interface that the kernels use: Node.js has it, TypeScript declares it for browsers only. */

export type WasmModule = object;

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** By pages of 64 KiB; detaches `buffer`. */
  grow(pages: number): number;
}

interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => WasmMemory;
}

export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface })
  .WebAssembly;
