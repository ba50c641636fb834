import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { workspaceRoot } from './golden-files.ts';

/**
 * Absolute path of real CT data that may not be committed (`../shared/data/<name>` beside the workspace), or undefined
 * where it is absent. A test that needs it says so in its name and skips:
 * `it.skipIf(!sharedDataPath('luna-mini'))('... [needs shared data luna-mini]', ...)`.
 */
export function sharedDataPath(
  name: 'luna-mini' | 'nodule-cubes' | 'luna-csv' | 'luna-chunks' | 'dicom',
): string | undefined {
  const path = resolve(workspaceRoot, '../shared/data', name);
  return existsSync(path) ? path : undefined;
}
