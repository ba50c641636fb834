import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTemporaryFolder, workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { exportedNames } from './exported-names.ts';
import { readProjects, SOURCE_CONDITION, type Project } from './workspace.ts';

/** Entries of a package that sources can import, with the file behind each. */
function listEntries({ folder, manifest }: Project) {
  return Object.entries(manifest.exports ?? {}).flatMap(([entry, target]) => {
    const source = typeof target === 'string' ? undefined : target[SOURCE_CONDITION];
    const path = join(workspaceRoot, folder, source ?? '');
    return source !== undefined && existsSync(path) ? [{ name: join(manifest.name, entry), path }] : [];
  });
}

it('every library exports the names in public-names.txt and no others', async () => {
  const libraries = readProjects(workspaceRoot).filter(({ folder }) => folder.startsWith('libs/'));
  const entries = libraries.flatMap(listEntries);
  expect(entries.length).toBeGreaterThanOrEqual(libraries.length);
  const sections = entries.map(({ name, path }) =>
    [name, ...exportedNames(path).map((line) => `  ${line}`)].join('\n'),
  );
  // A change on purpose is renewed with `npx vitest run --dir tools/check --update` and shows in the review.
  await expect(`${sections.join('\n\n')}\n`).toMatchFileSnapshot('public-names.txt');
});

describe('exportedNames()', () => {
  it('lists values and types, follows `export *`, and leaves out what stays inside', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeFile(
        join(folder, 'index.ts'),
        `export * from './all.ts';
         export { open, type Handle, shut as close } from './some.ts';
         export type { Mode } from './some.ts';
         export * as volume from './volume.ts';
         const hidden = 1;`,
      );
      await writeFile(
        join(folder, 'all.ts'),
        `export const first = 1, second = 2;
         export interface Third {}
         export type Fourth = 4;
         export type State = 'on'; export const State = {};
         export async function fifth() {}
         export class Sixth {}
         function internal() {}`,
      );
      expect(exportedNames(join(folder, 'index.ts'))).toEqual([
        'Sixth',
        'State',
        'close',
        'fifth',
        'first',
        'open',
        'second',
        'volume',
        'type Fourth',
        'type Handle',
        'type Mode',
        'type Third',
      ]);
    });
  });
});
