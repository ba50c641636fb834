/**
 * Unpacks one compressed frame. The codecs are those of the Cornerstone viewers: CharLS, OpenJPEG, OpenJPH and
 * libjpeg-turbo compiled to WebAssembly, each loaded when a first frame needs it. RLE and JPEG Lossless are our own.
 */
import { HOST_IS_BIG_ENDIAN } from '../host-byte-order.ts';
import type { CodestreamHead } from './codestream.ts';
import { hasEnd, readCodestreamHead } from './codestream.ts';
import { decodeJpegLossless, JpegLosslessFault } from './jpeg-lossless.ts';
import { RleFault, unpackRleFrame } from './rle-frame.ts';
import type { CodecName } from './transfer-syntax.ts';

/** A frame cannot be unpacked; the message says why and holds nothing of the file. */
export class FrameFault extends Error {}

export interface FrameClaim {
  readonly rows: number;
  readonly columns: number;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
}

interface Codec {
  /** Unpacks a frame whose head was checked, or throws. */
  decode(frame: Uint8Array, head: CodestreamHead): Uint8Array;
}

/** What the module printed since it was last emptied: some codecs report a failure in no other way. */
class Log {
  readonly #lines: string[] = [];
  readonly hooks: EmscriptenHooks = {
    print: (text) => void this.#lines.push(text),
    printErr: (text) => void this.#lines.push(text),
  };

  clear(): void {
    this.#lines.length = 0;
  }

  get hasError(): boolean {
    return this.#lines.some((line) => /error|failed/i.test(line));
  }
}

function wasmCodec(Decoder: new () => FrameDecoder, log: Log): Codec {
  return {
    decode(frame) {
      // A decoder of its own for each frame: a failed one would hand out the frame before.
      const decoder = new Decoder();
      log.clear();
      try {
        decoder.getEncodedBuffer(frame.length).set(frame);
        decoder.decode();
        if (log.hasError) throw new FrameFault('the codec found it damaged');
        return decoder.getDecodedBuffer().slice();
      } finally {
        decoder.delete();
      }
    },
  };
}

async function loadJpeg(): Promise<Codec> {
  const { default: load } = await import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs');
  const log = new Log();
  const codec = wasmCodec((await load(log.hooks)).JPEGDecoder, log);
  return {
    decode(frame, head) {
      if (head.bitsPerSample !== 8) {
        throw new FrameFault(`lossy JPEG is read with 8 bits only, got ${head.bitsPerSample}`);
      }
      return codec.decode(frame, head);
    },
  };
}

const jpegLossless: Codec = {
  decode(frame, head) {
    try {
      const samples = decodeJpegLossless(frame);
      if (head.bitsPerSample <= 8) return Uint8Array.from(samples);
      if (HOST_IS_BIG_ENDIAN) Buffer.from(samples.buffer).swap16();
      return new Uint8Array(samples.buffer);
    } catch (error) {
      if (error instanceof JpegLosslessFault) throw new FrameFault(error.message);
      throw error;
    }
  },
};

async function loadJpegLs(): Promise<Codec> {
  const { default: load } = await import('@cornerstonejs/codec-charls/decodewasmjs');
  const log = new Log();
  return wasmCodec((await load(log.hooks)).JpegLSDecoder, log);
}

async function loadJpeg2000(): Promise<Codec> {
  const { default: load } = await import('@cornerstonejs/codec-openjpeg/decodewasmjs');
  const log = new Log();
  return wasmCodec((await load(log.hooks)).J2KDecoder, log);
}

async function loadHtJpeg2000(): Promise<Codec> {
  const { default: load } = await import('@cornerstonejs/codec-openjph/wasmjs');
  const log = new Log();
  return wasmCodec((await load(log.hooks)).HTJ2KDecoder, log);
}

const LOADERS: Readonly<Record<Exclude<CodecName, 'rle'>, () => Promise<Codec>>> = {
  jpeg: loadJpeg,
  'jpeg-lossless': () => Promise.resolve(jpegLossless),
  'jpeg-ls': loadJpegLs,
  'jpeg-2000': loadJpeg2000,
  'ht-jpeg-2000': loadHtJpeg2000,
};

// A module is code without state between frames: one for the process.
const loaded = new Map<CodecName, Promise<Codec>>();

function loadCodec(name: Exclude<CodecName, 'rle'>): Promise<Codec> {
  const codec = loaded.get(name) ?? LOADERS[name]();
  loaded.set(name, codec);
  return codec;
}

function checkHead(frame: Uint8Array, claim: FrameClaim): CodestreamHead {
  const head = readCodestreamHead(frame);
  if (head === undefined) throw new FrameFault('the frame must start with its size, it does not');
  if (head.width !== claim.columns || head.height !== claim.rows) {
    const size = `${head.height} x ${head.width}`;
    throw new FrameFault(`the frame must have ${claim.rows} rows x ${claim.columns} columns, got ${size}`);
  }
  if (head.components !== 1) throw new FrameFault(`the frame must have 1 component, got ${head.components}`);
  if (head.bitsPerSample < claim.bitsStored || head.bitsPerSample > 16) {
    throw new FrameFault(`the frame must have ${claim.bitsStored} to 16 bits, got ${head.bitsPerSample}`);
  }
  if (!hasEnd(frame)) throw new FrameFault('the frame must have its end marker, it is truncated');
  return head;
}

/**
 * The samples of a compressed frame, one or two bytes each, little endian.
 * @throws FrameFault when it is damaged, or not of the size that the file's attributes say.
 */
export async function decodeFrame(
  frame: Uint8Array,
  codecName: CodecName,
  claim: FrameClaim,
): Promise<Uint8Array> {
  const pixelCount = claim.rows * claim.columns;
  if (codecName === 'rle') {
    try {
      return unpackRleFrame(frame, pixelCount, claim.bitsAllocated / 8);
    } catch (error) {
      if (error instanceof RleFault) throw new FrameFault(error.message);
      throw error;
    }
  }
  const head = checkHead(frame, claim);
  const codec = await loadCodec(codecName);
  let samples: Uint8Array;
  try {
    samples = codec.decode(frame, head);
  } catch (error) {
    if (error instanceof FrameFault) throw error;
    // Codecs throw numbers and texts of their own.
    throw new FrameFault('the codec found it damaged');
  }
  const expected = pixelCount * (head.bitsPerSample > 8 ? 2 : 1);
  if (samples.length !== expected) {
    throw new FrameFault(`the frame must unpack to ${expected} bytes, got ${samples.length}`);
  }
  return samples;
}
