import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findWorkspaceRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'nx.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('Cannot find the workspace root: no folder above this file holds nx.json');
    folder = parent;
  }
  return folder;
}

/** Absolute path of the folder that holds nx.json. */
export const workspaceRoot = findWorkspaceRoot();

/**
 * Reads `tools/golden/reference/<name>.json`: exact expected values, described in that folder's README.
 * The caller names the shape of what it reads; nothing is checked here.
 */
export function readGolden<Document>(
  name:
    | 'affine_grid_sample'
    | 'geometry'
    | 'learning'
    | 'lunamodel'
    | 'lunamodel_small'
    | 'metrics'
    | 'tensorboard',
): Document {
  return JSON.parse(
    readFileSync(join(workspaceRoot, 'tools/golden/reference', `${name}.json`), 'utf8'),
  ) as Document;
}
