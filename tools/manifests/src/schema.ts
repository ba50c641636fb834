import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Manifest } from './manifest.ts';

/** Packages with the schemas of API groups; all others are Kubernetes' own. */
const PACKAGE_OF_GROUP: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'cert-manager.io': '@kubernetes-models/cert-manager',
};

function moduleOf({ apiVersion, kind }: Manifest): string {
  const [group] = apiVersion.split('/');
  return `${PACKAGE_OF_GROUP[group!] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;

/** What the schema of each object has against it: missing and mistyped fields. */
export async function schemaFaults(manifests: readonly Manifest[]): Promise<string[]> {
  const faults: string[] = [];
  for (const manifest of manifests) {
    try {
      const models = (await import(moduleOf(manifest))) as Record<
        string,
        new (data: unknown) => { validate(): void }
      >;
      new models[manifest.kind]!(manifest).validate();
    } catch (error) {
      faults.push(`${nameOf(manifest)}: ${(error as Error).message}`);
    }
  }
  return faults;
}

/**
 * Fields that the schemas do not know. The schemas allow any, as a cluster does that is not told to be strict; the types
 * made of them do not, so the objects are compiled as TypeScript literals.
 */
export function unknownFields(manifests: readonly Manifest[]): string[] {
  // Beside this file, so that it finds the same packages.
  const path = fileURLToPath(new URL('./rendered.ts', import.meta.url));
  const text = manifests
    .map((manifest, index) => {
      const type = `import('${moduleOf(manifest)}').I${manifest.kind}`;
      return `export const object${index}: ${type} = ${JSON.stringify(manifest)};`;
    })
    .join('\n');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const original = { ...host };
  host.fileExists = (name) => name === path || original.fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === path
      ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true)
      : original.getSourceFile(name, ...rest);
  const program = ts.createProgram([path], options, host);
  const source = program.getSourceFile(path)!;
  return program.getSemanticDiagnostics(source).map(({ start, messageText }) => {
    const { line } = source.getLineAndCharacterOfPosition(start ?? 0);
    return `${nameOf(manifests[line]!)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
