import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withTemporaryFolder, workspaceRoot } from '@lunastream/testing';
import { expect, it } from 'vitest';
import { runProgram } from './run-program.ts';

const CONTRACTS = join(workspaceRoot, 'libs/contracts');
const BASELINE = join(workspaceRoot, 'proto/baseline.binpb');

/** Files below `folder`, relative to it; sorted. */
function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
}

it('what `npm run gen` makes of proto/ is what libs/contracts holds, byte for byte', async () => {
  await withTemporaryFolder(async (folder) => {
    const baselineBefore = readFileSync(BASELINE);
    const program = join(workspaceRoot, 'tools/workflow/gen.mjs');
    const generation = await runProgram(process.execPath, [program, '--out', folder], { cwd: workspaceRoot });
    expect(generation).toMatchObject({ code: 0 });

    const generated = listFiles(folder);
    const committed = listFiles(join(CONTRACTS, 'src/generated')).map((path) => `src/generated/${path}`);
    expect(generated).toEqual(['descriptor-set.binpb', ...committed]);
    const differing = generated.filter(
      (path) => !readFileSync(join(folder, path)).equals(readFileSync(join(CONTRACTS, path))),
    );
    expect(differing).toEqual([]);
    // Renewing what compatibility is measured against is a decision, never a by-product (proto/README.md).
    expect(readFileSync(BASELINE).equals(baselineBefore)).toBe(true);
  });
});
