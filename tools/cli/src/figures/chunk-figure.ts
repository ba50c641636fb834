import { createRequire } from 'node:module';
import { createCanvas, GlobalFonts, type SKRSContext2D } from '@napi-rs/canvas';

/** One picture of a figure: a slice of a chunk with what it is. */
export interface FigurePanel {
  readonly title: string;
  /** Second line, smaller: what was drawn. */
  readonly caption: string;
  /** [height, width] in C order, in HU. */
  readonly sliceHu: Float32Array;
  readonly height: number;
  readonly width: number;
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
const TITLE_PX = 40;
const LABEL_PX = 44;
const FONT = 'lunastream';
const INK = '#1b1f24';
const FAINT_INK = '#5c6670';
const PAPER = '#ffffff';

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
  drawText(context, title, { x: GAP_PX, y: 28, sizePx: 18, colour: INK });
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
  drawText(context, caption, { x, y: y + 34, sizePx: 11, colour: FAINT_INK });
  const scale = Math.min(PANEL_PX / panel.width, PANEL_PX / panel.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(toPicture(panel), x, y + LABEL_PX, panel.width * scale, panel.height * scale);
}

/** The slice at its own size, a pixel per voxel. */
function toPicture({ sliceHu, height, width }: FigurePanel) {
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

function drawText(
  context: SKRSContext2D,
  text: string,
  { x, y, sizePx, colour }: { x: number; y: number; sizePx: number; colour: string },
): void {
  context.font = `${sizePx}px ${FONT}`;
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
