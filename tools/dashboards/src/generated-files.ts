import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instrumentsDocument } from '@lunastream/telemetry';
import { format, resolveConfig } from 'prettier';

const DOCUMENT = 'docs/telemetry.md';
const BEGIN = '<!-- from libs/telemetry/src/registry.ts: `npm run gen` -->';
const END = '<!-- end of what is generated -->';

/** What is generated, by path in the repository. */
export type GeneratedFiles = ReadonlyMap<string, string>;

/** The document `text` with `part` between its marks. @throws Error when it has none. */
export function withGeneratedPart(text: string, part: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin === -1 || end < begin) {
    throw new Error(`Cannot generate ${DOCUMENT}: it must have the lines "${BEGIN}" and "${END}", got none`);
  }
  return `${text.slice(0, begin + BEGIN.length)}\n\n${part}\n\n${text.slice(end)}`;
}

/** Everything that this project makes, formatted as the repository is. */
export async function generateFiles(root: string): Promise<GeneratedFiles> {
  const written: readonly (readonly [string, string])[] = [
    [DOCUMENT, withGeneratedPart(readFileSync(join(root, DOCUMENT), 'utf8'), instrumentsDocument())],
  ];
  const formatted = written.map(async ([path, text]) => {
    const options = await resolveConfig(join(root, path));
    return [path, await format(text, { ...options, filepath: path })] as const;
  });
  return new Map(await Promise.all(formatted));
}
