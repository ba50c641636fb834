/**
 * Values of an `Event`'s `Summary`, encoded: tensorflow/core/framework/summary.proto and tensor.proto, field numbers beside
 * each write.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { exponentialEdges, fillHistogram } from './histogram.ts';
import { encodeGrayPng, type GrayImage } from './gray-png.ts';
import { prCurveCounts, type ScoredLabels } from './pr-curve.ts';

/** One `Summary.Value`, encoded. */
export type SummaryValue = Uint8Array;

const field = (number: number, type: WireType) => (number << 3) | type;
const LENGTH_DELIMITED = WireType.LengthDelimited;

/** Appends a message field. */
function message(writer: BinaryWriter, number: number, encoded: Uint8Array): BinaryWriter {
  return writer.uint32(field(number, LENGTH_DELIMITED)).bytes(encoded);
}

function text(writer: BinaryWriter, number: number, value: string): BinaryWriter {
  return writer.uint32(field(number, LENGTH_DELIMITED)).string(value);
}

function packedDoubles(writer: BinaryWriter, number: number, values: Iterable<number>): BinaryWriter {
  writer.uint32(field(number, LENGTH_DELIMITED)).fork();
  for (const value of values) writer.double(value);
  return writer.join();
}

/** tag = 1 */
const tagged = (tag: string) => text(new BinaryWriter(), 1, tag);

/** A number, float32. NaN is written as it is. */
export function scalar(tag: string, value: number): SummaryValue {
  // simple_value = 2
  return tagged(tag).uint32(field(2, WireType.Bit32)).float(value).finish();
}

/** The edges that TensorFlow sorts values of any size into: ten percent apart, both signs. */
export const EXPONENTIAL_EDGES: readonly number[] = exponentialEdges();

/** `count` buckets of equal width from `low` to `high`: `count + 1` edges. */
export function linearEdges(low: number, high: number, count: number): number[] {
  return Array.from({ length: count + 1 }, (_, index) => low + ((high - low) * index) / count);
}

/**
 * How values spread over the buckets between ascending `edges`; the first bucket is what lies below the first edge, and a value
 * at an edge belongs to the bucket above, at the last one to that below. Undefined for no values: TensorBoard shows none.
 * @throws RangeError for a value that is no finite number, or outside the edges.
 */
export function histogram(
  tag: string,
  values: ArrayLike<number>,
  edges: readonly number[],
): SummaryValue | undefined {
  if (values.length === 0) return undefined;
  const { counts, limits, min, max, sum, squares } = fillHistogram(values, edges);
  const proto = new BinaryWriter();
  // min = 1, max = 2, num = 3, sum = 4, sum_squares = 5, bucket_limit = 6, bucket = 7
  for (const [index, value] of [min, max, values.length, sum, squares].entries()) {
    proto.uint32(field(index + 1, WireType.Bit64)).double(value);
  }
  packedDoubles(proto, 6, limits);
  packedDoubles(proto, 7, counts);
  // histo = 5
  return message(tagged(tag), 5, proto.finish()).finish();
}

/** Thresholds of PyTorch's `add_pr_curve`. */
const PR_THRESHOLDS = 127;

/** Precision and recall at 127 thresholds, for the PR curves plugin. */
export function prCurve(tag: string, scored: ScoredLabels, thresholds = PR_THRESHOLDS): SummaryValue {
  const rows = prCurveCounts(scored, thresholds);
  // PrCurvePluginData: version = 1 (0, so absent), num_thresholds = 2
  const content = new BinaryWriter().uint32(field(2, WireType.Varint)).uint32(thresholds).finish();
  // SummaryMetadata.plugin_data = 1: plugin_name = 1, content = 2
  const plugin = message(text(new BinaryWriter(), 1, 'pr_curves'), 2, content).finish();
  const metadata = message(new BinaryWriter(), 1, plugin).finish();
  // metadata = 9, tensor = 8
  return message(message(tagged(tag), 9, metadata), 8, floatTensor(rows)).finish();
}

const DT_FLOAT = 1;

/** Rows of equal length. */
function floatTensor(rows: readonly Float32Array[]): Uint8Array {
  const shape = new BinaryWriter();
  for (const size of [rows.length, rows[0]!.length]) {
    // TensorShapeProto.dim = 2: size = 1
    message(shape, 2, new BinaryWriter().uint32(field(1, WireType.Varint)).int64(size).finish());
  }
  // dtype = 1, tensor_shape = 2, float_val = 5
  const tensor = new BinaryWriter().uint32(field(1, WireType.Varint)).int32(DT_FLOAT);
  message(tensor, 2, shape.finish());
  tensor.uint32(field(5, LENGTH_DELIMITED)).fork();
  for (const row of rows) for (const value of row) tensor.float(value);
  return tensor.join().finish();
}

/** A picture in shades of gray. */
export function grayImage(tag: string, image: GrayImage): SummaryValue {
  // Summary.Image: height = 1, width = 2, colorspace = 3 (1 is grayscale), encoded_image_string = 4
  const proto = new BinaryWriter();
  for (const [index, value] of [image.height, image.width, 1].entries()) {
    proto.uint32(field(index + 1, WireType.Varint)).int32(value);
  }
  message(proto, 4, encodeGrayPng(image));
  // image = 4
  return message(tagged(tag), 4, proto.finish()).finish();
}
