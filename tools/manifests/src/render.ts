import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import type { Manifest } from './manifest.ts';

/** Whether this machine has kubectl with kustomize. */
export const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;

/** The objects that kubectl makes of a kustomization's folder. */
export function render(folder: string): Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** The base of `k8sFolder` with `components`, as an overlay would have them. */
export function renderWith(k8sFolder: string, components: readonly string[]): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), 'lunastream-overlay-'));
  try {
    const path = (name: string) => relative(folder, join(k8sFolder, name));
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namespace: 'lunastream',
      resources: [path('base')],
      components: components.map((name) => path(`components/${name}`)),
    };
    writeFileSync(join(folder, 'kustomization.yaml'), stringify(kustomization));
    return render(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
