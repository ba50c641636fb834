/**
 * JPEG Lossless (ITU-T T.81, process 14, annex H), of one component: what most archives compress CTs with. Our own, as
 * jpeg-lossless-decoder-js 2.1.2, the one on npm, gets pixels wrong with predictor 7, drops the last pixel of about one
 * noisy frame in a hundred, and answers a frame that is cut short without a word.
 */

import { jpegSegments, type JpegSegment } from './codestream.ts';

/** A frame that breaks the format; the message says how. */
export class JpegLosslessFault extends Error {}

/** Canonical Huffman codes by length (annex F.2.2.3): the values of a length follow each other from its first code on. */
interface HuffmanTable {
  readonly firstCode: readonly number[];
  readonly firstValue: readonly number[];
  readonly counts: readonly number[];
  readonly values: Uint8Array;
}

interface Scan {
  readonly width: number;
  readonly height: number;
  readonly precision: number;
  readonly predictor: number;
  readonly pointTransform: number;
  readonly table: HuffmanTable;
  /** Lines between restart markers; 0 means none. */
  readonly restartLines: number;
  /** Where the entropy-coded data start. */
  readonly startBytes: number;
}

// Markers (ITU-T T.81, table B.1), less their FF.
const LOSSLESS_FRAME = 0xc3;
const DEFINE_TABLES = 0xc4;
const START_OF_SCAN = 0xda;
const DEFINE_RESTART = 0xdd;

const LONGEST_CODE = 16;
const LARGEST_CATEGORY = 16;

function readTable(
  view: DataView,
  at: number,
  end: number,
): { readonly table: HuffmanTable; readonly next: number } {
  if (at + 17 > end) throw new JpegLosslessFault('a Huffman table is cut short');
  const counts = [0, ...Array.from({ length: LONGEST_CODE }, (_, length) => view.getUint8(at + 1 + length))];
  const total = counts.reduce((sum, count) => sum + count, 0);
  const next = at + 17 + total;
  if (next > end) throw new JpegLosslessFault('a Huffman table is cut short');
  const firstCode: number[] = [];
  const firstValue: number[] = [];
  let code = 0;
  let value = 0;
  counts.forEach((count, length) => {
    firstCode[length] = code;
    firstValue[length] = value;
    code = (code + count) << 1;
    value += count;
  });
  const values = new Uint8Array(view.buffer, view.byteOffset + at + 17, total);
  return { table: { firstCode, firstValue, counts, values }, next };
}

/** What the segments before a scan set. */
interface Setup {
  readonly tables: Map<number, HuffmanTable>;
  frame: Pick<Scan, 'width' | 'height' | 'precision'> | undefined;
  restartInterval: number;
}

/** The scan that starts with the segment at `bodyBytes` (ITU-T T.81, B.2.3). */
function openScan(view: DataView, { bodyBytes, endBytes }: JpegSegment, setup: Setup): Scan {
  if (endBytes < bodyBytes + 6) throw new JpegLosslessFault('a segment is cut short');
  const { frame } = setup;
  const table = setup.tables.get(view.getUint8(bodyBytes + 2) >> 4);
  const predictor = view.getUint8(bodyBytes + 3);
  const isKnown = view.getUint8(bodyBytes) === 1 && predictor >= 1 && predictor <= 7;
  if (frame === undefined || table === undefined || !isKnown) {
    throw new JpegLosslessFault('it must be a JPEG Lossless frame of one component with its tables');
  }
  const pointTransform = view.getUint8(bodyBytes + 5) & 0x0f;
  if (pointTransform >= frame.precision) throw new JpegLosslessFault('its point transform takes all bits');
  const restartLines = setup.restartInterval / frame.width;
  if (!Number.isInteger(restartLines)) throw new JpegLosslessFault('restarts must come at the ends of lines');
  return { ...frame, table, predictor, pointTransform, restartLines, startBytes: endBytes };
}

/** Reads the segments up to the start of the entropy-coded data. */
function readScan(view: DataView): Scan {
  const setup: Setup = { tables: new Map(), frame: undefined, restartInterval: 0 };
  for (const segment of jpegSegments(view)) {
    const { marker, bodyBytes, endBytes } = segment;
    if (marker === DEFINE_TABLES) {
      for (let from = bodyBytes; from < endBytes;) {
        const { table, next } = readTable(view, from, endBytes);
        setup.tables.set(view.getUint8(from), table);
        from = next;
      }
    } else if (marker === LOSSLESS_FRAME && endBytes >= bodyBytes + 6) {
      const [height, width] = [view.getUint16(bodyBytes + 1), view.getUint16(bodyBytes + 3)];
      setup.frame = { precision: view.getUint8(bodyBytes), height, width };
    } else if (marker === DEFINE_RESTART && endBytes >= bodyBytes + 2) {
      setup.restartInterval = view.getUint16(bodyBytes);
    } else if (marker === START_OF_SCAN) return openScan(view, segment, setup);
  }
  throw new JpegLosslessFault('it must have a scan behind whole segments');
}

/** Bits of entropy-coded data: a zero after each FF is stuffing, anything else there is a marker and the end. */
class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #current = 0;
  #left = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  bit(): number {
    if (this.#left === 0) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || (byte === 0xff && this.#bytes[this.#at + 1] !== 0)) {
        throw new JpegLosslessFault('its data end before its last row');
      }
      this.#at += byte === 0xff ? 2 : 1;
      this.#current = byte;
      this.#left = 8;
    }
    this.#left--;
    return (this.#current >> this.#left) & 1;
  }

  bits(count: number): number {
    let value = 0;
    for (let read = 0; read < count; read++) value = (value << 1) | this.bit();
    return value;
  }

  /** Goes behind the restart marker that must come next. */
  restart(): void {
    const marker = this.#bytes[this.#at + 1] ?? 0;
    if (this.#bytes[this.#at] !== 0xff || marker < 0xd0 || marker > 0xd7) {
      throw new JpegLosslessFault('a restart marker is missing');
    }
    this.#at += 2;
    this.#left = 0;
  }
}

function readDifference(reader: BitReader, table: HuffmanTable): number {
  let code = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    code = (code << 1) | reader.bit();
    const index = code - table.firstCode[length]!;
    if (index >= 0 && index < table.counts[length]!) {
      const category = table.values[table.firstValue[length]! + index]!;
      if (category > LARGEST_CATEGORY) break;
      if (category === 0) return 0;
      // Table H.2: of 16 there is one value only, without bits.
      if (category === LARGEST_CATEGORY) return 32768;
      const bits = reader.bits(category);
      return bits < 1 << (category - 1) ? bits - (1 << category) + 1 : bits;
    }
  }
  throw new JpegLosslessFault('it holds a code that its table lacks');
}

/** Table H.1, with the sample on the left, the one above, and the one left of that. */
function predict(predictor: number, left: number, above: number, corner: number): number {
  switch (predictor) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return corner;
    case 4:
      return left + above - corner;
    case 5:
      return left + ((above - corner) >> 1);
    case 6:
      return above + ((left - corner) >> 1);
    default:
      return (left + above) >> 1;
  }
}

function decodeSamples(scan: Scan, reader: BitReader): Uint16Array {
  const { width, height, precision, predictor, pointTransform, restartLines, table } = scan;
  const samples = new Uint16Array(width * height);
  for (let row = 0, offset = 0; row < height; row++) {
    const isRestart = restartLines > 0 && row > 0 && row % restartLines === 0;
    if (isRestart) reader.restart();
    const isFirstLine = row === 0 || isRestart;
    for (let column = 0; column < width; column++, offset++) {
      let prediction: number;
      if (column === 0)
        prediction = isFirstLine ? 1 << (precision - pointTransform - 1) : samples[offset - width]!;
      else if (isFirstLine) prediction = samples[offset - 1]!;
      else {
        const corner = samples[offset - width - 1]!;
        prediction = predict(predictor, samples[offset - 1]!, samples[offset - width]!, corner);
      }
      // Modulo 2^16 (H.1.2.1), which is what the array does.
      samples[offset] = prediction + readDifference(reader, table);
    }
  }
  return pointTransform === 0 ? samples : samples.map((sample) => sample << pointTransform);
}

/**
 * The samples of a frame row by row. Its size was compared with what is expected before: memory follows its header.
 * @throws JpegLosslessFault when it is damaged or truncated.
 */
export function decodeJpegLossless(frame: Uint8Array): Uint16Array {
  const scan = readScan(new DataView(frame.buffer, frame.byteOffset, frame.byteLength));
  return decodeSamples(scan, new BitReader(frame, scan.startBytes));
}
