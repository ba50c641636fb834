import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { expect, it } from 'vitest';
import { generateFiles, withGeneratedPart } from './generated-files.ts';

const files = await generateFiles(workspaceRoot);

it.each([...files.keys()])('%s is what `npm run gen` makes, byte for byte', (path) => {
  expect(readFileSync(join(workspaceRoot, path), 'utf8')).toBe(files.get(path));
});

it('withGeneratedPart() refuses a document without its marks', () => {
  expect(() => withGeneratedPart('# Telemetry\n', 'part')).toThrow('Cannot generate');
});
