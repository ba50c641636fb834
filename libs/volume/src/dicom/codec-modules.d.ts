// The codecs ship no types: these cover what decode-frame.ts uses. Emscripten modules are functions that give an instance.

interface EmscriptenHooks {
  readonly print: (text: string) => void;
  readonly printErr: (text: string) => void;
}

interface FrameDecoder {
  /** Memory of the module to put `sizeBytes` encoded bytes into. */
  getEncodedBuffer(sizeBytes: number): Uint8Array;
  decode(): void;
  /** The decoded samples, in memory of the module. */
  getDecodedBuffer(): Uint8Array;
  delete(): void;
}

declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const load: (hooks: EmscriptenHooks) => Promise<{ readonly JpegLSDecoder: new () => FrameDecoder }>;
  export default load;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  const load: (hooks: EmscriptenHooks) => Promise<{ readonly JPEGDecoder: new () => FrameDecoder }>;
  export default load;
}

declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const load: (hooks: EmscriptenHooks) => Promise<{ readonly J2KDecoder: new () => FrameDecoder }>;
  export default load;
}

declare module '@cornerstonejs/codec-openjph/wasmjs' {
  const load: (hooks: EmscriptenHooks) => Promise<{
    readonly HTJ2KDecoder: new () => FrameDecoder;
    /** Used by tests only. */
    readonly HTJ2KEncoder: new () => {
      getDecodedBuffer(frame: {
        readonly width: number;
        readonly height: number;
        readonly bitsPerSample: number;
        readonly componentCount: number;
        readonly isSigned: boolean;
        readonly isUsingColorTransform: boolean;
      }): Uint8Array;
      encode(): void;
      getEncodedBuffer(): Uint8Array;
    };
  }>;
  export default load;
}
