import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import terminalImage from 'term-img';
import type { Terminal } from '../terminal.ts';
import { renderFigure, type ChunkFigure } from './chunk-figure.ts';

/** Writes a figure as PNG, whole or not at all, and shows it in a terminal that can show pictures. */
export async function writeFigure(path: string, figure: ChunkFigure, terminal: Terminal): Promise<void> {
  const png = renderFigure(figure);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, png);
  await rename(`${path}.new`, path);
  if (!terminal.isInteractive) return;
  const picture = terminalImage(png, { fallback: () => undefined });
  if (picture !== undefined) terminal.out(`${picture}\n`);
}
