import { workspaceRoot } from '@lunastream/testing';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The rows of the Markdown table in `path` that has this first heading, by heading. */
export function readDocumentTable(path: string, firstHeading: string): Record<string, string>[] {
  const lines = readFileSync(join(workspaceRoot, path), 'utf8').split('\n');
  const cellsOf = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const first = lines.findIndex((line) => line.startsWith('|') && cellsOf(line)[0] === firstHeading);
  if (first === -1)
    throw new Error(`Cannot read a table: ${path} must have one with "${firstHeading}" first`);
  const end = lines.findIndex((line, place) => place > first && !line.startsWith('|'));
  const headings = cellsOf(lines[first]!);
  return lines.slice(first + 2, end).map((line) => {
    const cells = cellsOf(line);
    return Object.fromEntries(headings.map((heading, place) => [heading, cells[place]!]));
  });
}
