#!/usr/bin/env node
// The command is compiled by `npm run setup`; without that there is nothing to run.
import { existsSync } from 'node:fs';

const entry = new URL('../dist/src/main.js', import.meta.url);
if (!existsSync(entry)) {
  console.error('Cannot run lunastream: it is not built yet. Run `npm run setup` in the repository first.');
  process.exit(2);
}
await import(entry.href);
