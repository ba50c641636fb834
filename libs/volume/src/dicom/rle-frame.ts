/** A rule that a run-length encoded frame breaks. */
export class RleFault extends Error {}

const HEADER_BYTES = 64;

/** Unpacks one PackBits segment into every `stride`-th byte of `target` from `first` on. */
function unpackSegment(segment: Uint8Array, target: Uint8Array, first: number, stride: number): void {
  let out = first;
  for (let at = 0; at < segment.length && out < target.length;) {
    const control = segment[at++] ?? 0;
    if (control === 128) continue; // No operation.
    const isRun = control > 128;
    const count = isRun ? 257 - control : control + 1;
    if (at + (isRun ? 1 : count) > segment.length) throw new RleFault('a run goes beyond its segment');
    for (let step = 0; step < count && out < target.length; step++, out += stride) {
      target[out] = segment[isRun ? at : at + step] ?? 0;
    }
    at += isRun ? 1 : count;
  }
  if (out < target.length) throw new RleFault('a segment holds too few bytes');
}

/**
 * Unpacks an RLE Lossless frame (PS3.5 of the DICOM standard, annex G) of `pixelCount` samples of 1 or 2 bytes: little
 * endian, as native pixels are. @throws RleFault when it is damaged.
 */
export function unpackRleFrame(frame: Uint8Array, pixelCount: number, bytesPerSample: number): Uint8Array {
  if (frame.length < HEADER_BYTES) throw new RleFault('the frame is shorter than its header');
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const segmentCount = view.getUint32(0, true);
  if (segmentCount !== bytesPerSample) {
    throw new RleFault(`the frame must have ${bytesPerSample} segments, got ${segmentCount}`);
  }
  const samples = new Uint8Array(pixelCount * bytesPerSample);
  for (let segment = 0; segment < segmentCount; segment++) {
    const start = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < segmentCount ? view.getUint32(8 + 4 * segment, true) : frame.length;
    if (start < HEADER_BYTES || start > end || end > frame.length)
      throw new RleFault('a segment lies outside');
    // The first segment holds the most significant bytes.
    unpackSegment(frame.subarray(start, end), samples, bytesPerSample - 1 - segment, bytesPerSample);
  }
  return samples;
}
