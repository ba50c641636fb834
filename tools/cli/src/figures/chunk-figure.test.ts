import { createCanvas, loadImage } from '@napi-rs/canvas';
import { expect, it } from 'vitest';
import { renderFigure } from './chunk-figure.ts';

const GAP_PX = 16;
const PANEL_PX = 240;

/** Of every pixel of a PNG, in rows. */
async function pixelsOf(png: Buffer) {
  const image = await loadImage(png);
  const context = createCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const at = (x: number, y: number) => [
    ...data.subarray(4 * (y * image.width + x), 4 * (y * image.width + x) + 3),
  ];
  return { width: image.width, height: image.height, at };
}

const panel = (hu: number, width = 48) => ({
  title: 'all, draw 1',
  caption: 'flip z, offset 0.00 0.05 -0.03, scale 0.92 0.89 0.91, turn 105°, noise 25 HU',
  sliceHu: new Float32Array(48 * width).fill(hu),
  height: 48,
  width,
});

it('renderFigure(): paper all around, as wide on the right as on the left, and a frame around what is as white', async () => {
  const panels = [panel(-1000), panel(-1000), panel(-1000), panel(1000, 60), panel(1000), panel(1000)];
  const title = 'nodule of 23.4 mm in series 1.3.6.1.4.1.14519.5.2.1.6279 at (56.2, 86.3, -115.9) mm';
  const { width, height, at } = await pixelsOf(renderFigure({ title, columns: 3, panels }));
  expect(width).toBe(3 * PANEL_PX + 4 * GAP_PX);
  const isPaper = (x: number) =>
    Array.from({ length: height }, (_, y) => at(x, y))
      .flat()
      .every((v) => v === 255);
  // The frame takes the pixel next to a slice.
  for (let margin = 0; margin < GAP_PX - 1; margin++)
    expect([margin, isPaper(margin), isPaper(width - 1 - margin)]).toEqual([margin, true, true]);
  const darkRows = (x: number) =>
    Array.from({ length: height }, (_, y) => at(x, y)).filter(([red]) => red! < 200).length;
  expect(darkRows(GAP_PX)).toBeGreaterThanOrEqual(PANEL_PX);
  // Both rows of panels have their frames: black slices and white ones.
  expect(darkRows(width - GAP_PX)).toBeGreaterThanOrEqual(2 * PANEL_PX);
});
