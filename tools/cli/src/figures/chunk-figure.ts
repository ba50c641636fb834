import { createRequire } from 'node:module';
import { createCanvas, GlobalFonts, type SKRSContext2D } from '@napi-rs/canvas';

/** A slice of a chunk. */
export interface SlicePicture {
  /** [height, width] in C order, in HU. */
  readonly sliceHu: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** One picture of a figure: a slice of a chunk with what it is. */
export interface FigurePanel extends SlicePicture {
  readonly title: string;
  /** Second line, smaller: what was drawn. */
  readonly caption: string;
}

/** A figure: panels in reading order. */
export interface ChunkFigure {
  readonly title: string;
  readonly panels: readonly FigurePanel[];
  readonly columns: number;
}

/** Grey values: air is black, soft tissue and above white; the window in which lungs are read. */
const WINDOW_HU = { low: -1000, high: 300 } as const;

const PANEL_PX = 240;
const GAP_PX = 16;
const TITLE_PX = 56;
const CAPTION_LINE_PX = 14;
const MOST_CAPTION_LINES = 3;
const LABEL_PX = 22 + MOST_CAPTION_LINES * CAPTION_LINE_PX;
const FONT = 'lunastream';
const INK = '#1b1f24';
const FAINT_INK = '#5c6670';
const PAPER = '#ffffff';
const FRAME = '#8c959f';

const require = createRequire(import.meta.url);
/** The font comes with the package: containers and bare machines have none. */
GlobalFonts.registerFromPath(require.resolve('@fontsource/inter/files/inter-latin-400-normal.woff2'), FONT);

/** Draws a figure as PNG. Voxels stay squares: nothing is smoothed that the network sees sharp. */
export function renderFigure({ title, panels, columns }: ChunkFigure): Buffer {
  const rows = Math.ceil(panels.length / columns);
  const width = columns * (PANEL_PX + GAP_PX) + GAP_PX;
  const height = TITLE_PX + rows * (PANEL_PX + LABEL_PX + GAP_PX) + GAP_PX;
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  context.fillStyle = PAPER;
  context.fillRect(0, 0, width, height);
  for (const [line, text] of wrap(context, title, { widthPx: width - 2 * GAP_PX, sizePx: 14 }).entries()) {
    drawText(context, text, { x: GAP_PX, y: 26 + 20 * line, sizePx: 14, colour: INK });
  }
  for (const [index, panel] of panels.entries()) {
    const x = GAP_PX + (index % columns) * (PANEL_PX + GAP_PX);
    const y = TITLE_PX + Math.floor(index / columns) * (PANEL_PX + LABEL_PX + GAP_PX);
    drawPanel(context, panel, x, y);
  }
  return canvas.toBuffer('image/png');
}

function drawPanel(context: SKRSContext2D, panel: FigurePanel, x: number, y: number): void {
  const { title, caption } = panel;
  drawText(context, title, { x, y: y + 16, sizePx: 15, colour: INK });
  const lines = wrap(context, caption, { widthPx: PANEL_PX, sizePx: 11 }).slice(0, MOST_CAPTION_LINES);
  for (const [line, text] of lines.entries()) {
    drawText(context, text, { x, y: y + 33 + CAPTION_LINE_PX * line, sizePx: 11, colour: FAINT_INK });
  }
  const scale = Math.min(PANEL_PX / panel.width, PANEL_PX / panel.height);
  context.imageSmoothingEnabled = false;
  const [width, height] = [panel.width * scale, panel.height * scale];
  context.drawImage(toPicture(panel), x, y + LABEL_PX, width, height);
  // Bone is as white as the paper: without a frame such a slice has no edge. Half a pixel outside, so that it covers no voxel.
  context.strokeStyle = FRAME;
  context.strokeRect(x - 0.5, y + LABEL_PX - 0.5, width + 1, height + 1);
}

/** A slice as PNG at its own size, a pixel per voxel. */
export function renderSlice(slice: SlicePicture): Buffer {
  return toPicture(slice).toBuffer('image/png');
}

/** The slice at its own size, a pixel per voxel. */
function toPicture({ sliceHu, height, width }: SlicePicture) {
  const picture = createCanvas(width, height);
  const context = picture.getContext('2d');
  const pixels = context.createImageData(width, height);
  for (let voxel = 0; voxel < sliceHu.length; voxel++) {
    const grey = (255 * (sliceHu[voxel]! - WINDOW_HU.low)) / (WINDOW_HU.high - WINDOW_HU.low);
    // Uint8ClampedArray rounds and clamps.
    pixels.data.fill(grey, 4 * voxel, 4 * voxel + 3);
    pixels.data[4 * voxel + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return picture;
}

/** Breaks `text` between words into lines of at most `widthPx`. */
function wrap(
  context: SKRSContext2D,
  text: string,
  { widthPx, sizePx }: { readonly widthPx: number; readonly sizePx: number },
): string[] {
  context.font = `${sizePx}px ${FONT}`;
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && context.measureText(longer).width <= widthPx) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function drawText(
  context: SKRSContext2D,
  text: string,
  { x, y, sizePx, colour }: { x: number; y: number; sizePx: number; colour: string },
): void {
  context.font = `${sizePx}px ${FONT}`;
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
