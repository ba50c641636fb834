import type { ModelTensor } from '@lunastream/engine';
import type { GrayImage } from '@lunastream/tensorboard';

/** Small layers are enlarged to about this many pixels a channel. */
const TILE_PIXELS = 48;
/** Pixels between channels. */
const GAP = 1;
const WHITE = 255;

interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** Pixels of a voxel's side. */
  readonly zoom: number;
}

/**
 * The middle slice of every channel of a layer, `[channels, depth, height, width]`, side by side in a square of tiles:
 * black is the layer's smallest value there, white its largest. NaN is black.
 */
export function pictureOfLayer({ shape, values }: ModelTensor): GrayImage {
  const [channels, depth, height, width] = shape as [number, number, number, number];
  const columns = Math.ceil(Math.sqrt(channels));
  const grid = {
    columns,
    rows: Math.ceil(channels / columns),
    zoom: Math.max(1, Math.floor(TILE_PIXELS / Math.max(height, width))),
  };
  const slice = (channel: number) => {
    const first = (channel * depth + (depth >> 1)) * height * width;
    return values.subarray(first, first + height * width);
  };
  const slices = Array.from({ length: channels }, (_, channel) => slice(channel));
  return drawTiles(slices, [height, width], grid);
}

/** From a value to its shade. */
function shades(slices: readonly Float32Array[]): (value: number) => number {
  let [low, high] = [Infinity, -Infinity];
  for (const slice of slices) {
    for (const value of slice) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const range = high - low;
  return (value) => (range > 0 && value >= low ? Math.round((WHITE * (value - low)) / range) : 0);
}

function drawTiles(
  slices: readonly Float32Array[],
  [height, width]: readonly [number, number],
  { columns, rows, zoom }: Grid,
): GrayImage {
  const shade = shades(slices);
  const [tileHeight, tileWidth] = [height * zoom + GAP, width * zoom + GAP];
  const image = { width: columns * tileWidth - GAP, height: rows * tileHeight - GAP };
  const pixels = new Uint8Array(image.width * image.height).fill(WHITE);
  for (const [tile, slice] of slices.entries()) {
    const top = Math.floor(tile / columns) * tileHeight;
    const left = (tile % columns) * tileWidth;
    for (let y = 0; y < height * zoom; y++) {
      const row = Math.floor(y / zoom) * width;
      const start = (top + y) * image.width + left;
      for (let x = 0; x < width * zoom; x++) pixels[start + x] = shade(slice[row + Math.floor(x / zoom)]!);
    }
  }
  return { ...image, pixels };
}
