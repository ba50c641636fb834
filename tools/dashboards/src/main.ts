import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateFiles } from './generated-files.ts';

// Writes everything that this project makes; `npm run gen` calls it.

const root = fileURLToPath(new URL('../../../..', import.meta.url));
for (const [path, text] of await generateFiles(root)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
