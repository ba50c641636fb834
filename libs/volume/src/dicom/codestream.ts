/**
 * The head of a compressed frame: what size it claims. Codecs allocate what it says, and some answer a damaged frame with
 * an old or half-filled one, so head and end are looked at before a codec sees the frame.
 */
export interface CodestreamHead {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly bitsPerSample: number;
}

const START_OF_IMAGE = 0xffd8;
const START_OF_CODESTREAM = 0xff4f;
const SIZE_MARKER = 0xff51;
const END = 0xffd9;
const START_OF_SCAN = 0xda;
// JPEG-LS's start of frame (ITU-T T.87, C.1.1).
const START_OF_FRAME_LS = 0xf7;

/** A marker segment of a JPEG stream (ITU-T T.81, B.1.1.4): its parameters go from `bodyBytes` to `endBytes`. */
export interface JpegSegment {
  readonly marker: number;
  readonly bodyBytes: number;
  readonly endBytes: number;
}

/** The segments from the start of a JPEG stream up to its first scan; fewer where the stream is damaged or cut. */
export function* jpegSegments(view: DataView): Generator<JpegSegment> {
  for (let at = 2; at + 4 <= view.byteLength && view.getUint8(at) === 0xff;) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++; // A fill byte.
      continue;
    }
    const endBytes = at + 2 + view.getUint16(at + 2);
    if (endBytes < at + 4 || endBytes > view.byteLength) return;
    yield { marker, bodyBytes: at + 4, endBytes };
    if (marker === START_OF_SCAN) return;
    at = endBytes;
  }
}

/** Start of frame of any JPEG process (ITU-T T.81, table B.1): C0 to CF less DHT, JPG and DAC. */
function isStartOfFrame(marker: number): boolean {
  return (
    (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === START_OF_FRAME_LS
  );
}

function readJpegHead(view: DataView): CodestreamHead | undefined {
  for (const { marker, bodyBytes, endBytes } of jpegSegments(view)) {
    if (!isStartOfFrame(marker)) continue;
    if (endBytes < bodyBytes + 6) return undefined;
    return {
      bitsPerSample: view.getUint8(bodyBytes),
      height: view.getUint16(bodyBytes + 1),
      width: view.getUint16(bodyBytes + 3),
      components: view.getUint8(bodyBytes + 5),
    };
  }
  return undefined;
}

/** The SIZ segment, which follows the start of a JPEG 2000 codestream at once (ITU-T T.800, A.5.1). */
function readJpeg2000Head(view: DataView): CodestreamHead | undefined {
  if (view.byteLength < 43 || view.getUint16(2) !== SIZE_MARKER) return undefined;
  return {
    width: view.getUint32(8) - view.getUint32(16),
    height: view.getUint32(12) - view.getUint32(20),
    components: view.getUint16(40),
    bitsPerSample: (view.getUint8(42) & 0x7f) + 1,
  };
}

/** The head of a JPEG, JPEG-LS or JPEG 2000 frame; undefined when it is none, or has no head. */
export function readCodestreamHead(frame: Uint8Array): CodestreamHead | undefined {
  if (frame.length < 4) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const start = view.getUint16(0);
  if (start === START_OF_IMAGE) return readJpegHead(view);
  return start === START_OF_CODESTREAM ? readJpeg2000Head(view) : undefined;
}

/** True when the frame has its end marker; zeros may follow, which make a fragment's length even. */
export function hasEnd(frame: Uint8Array): boolean {
  let end = frame.length;
  while (end > 2 && frame[end - 1] === 0) end--;
  return end >= 2 && ((frame[end - 2] ?? 0) << 8) + (frame[end - 1] ?? 0) === END;
}
