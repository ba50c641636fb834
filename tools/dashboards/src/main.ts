import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateFiles } from './generated-files.ts';
import { proofTable } from './proof-table.ts';
import { prove } from './prove.ts';

// Without an argument writes everything that this project makes; `npm run gen` calls it so. With `prove` proves it, and
// prints a table: panel, query, value.

const PROOF_LIMIT_MS = 180_000;

const root = fileURLToPath(new URL('../../../..', import.meta.url));

async function generate(): Promise<void> {
  for (const [path, text] of await generateFiles(root)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

async function printProof(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lunastream-proof-'));
  try {
    const proof = await prove({ root, folder, limitMs: PROOF_LIMIT_MS });
    process.stdout.write(proofTable(proof));
    const isProven = proof.queries.every(({ samples }) => samples.length > 0);
    process.exitCode = isProven && proof.undocumented.length + proof.missing.length === 0 ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true });
  }
}

await (process.argv[2] === 'prove' ? printProof() : generate());
