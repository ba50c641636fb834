import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from './manifest.ts';
import { hasKubectl, render, renderWith } from './render.ts';
import { RULES } from './rules.ts';
import { schemaFaults, unknownFields } from './schema.ts';
import { readServiceFacts, type ServiceFacts } from './service-facts.ts';

const K8S_FOLDER = join(workspaceRoot, 'deploy/k8s');

let facts: ServiceFacts;
beforeAll(() => {
  facts = readServiceFacts(workspaceRoot);
});

const brokenRules = (manifests: readonly Manifest[]) => RULES.flatMap((rule) => rule(manifests, facts));

async function brokenSchemas(manifests: readonly Manifest[]): Promise<string[]> {
  return [...(await schemaFaults(manifests)), ...unknownFields(manifests)];
}

async function faultsOf(manifests: readonly Manifest[]): Promise<string[]> {
  return [...(await brokenSchemas(manifests)), ...brokenRules(manifests)];
}

const overlays = readdirSync(join(K8S_FOLDER, 'overlays'));
const components = readdirSync(join(K8S_FOLDER, 'components'));

describe.skipIf(!hasKubectl)('the manifests of deploy/k8s [needs kubectl]', () => {
  it.each(overlays)('keep schemas and rules in overlay %s', async (overlay) => {
    expect(await faultsOf(render(join(K8S_FOLDER, 'overlays', overlay)))).toEqual([]);
  });

  it.each(components)('keep schemas and rules with component %s alone', async (component) => {
    expect(await faultsOf(renderWith(K8S_FOLDER, [component]))).toEqual([]);
  });

  it('keep schemas and rules with a run as a Job, TLS, token and GPU together', async () => {
    const manifests = renderWith(K8S_FOLDER, ['run-job', 'tls', 'token', 'gpu-nvidia', 'monitoring', 'hpa']);
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['Job', 'HorizontalPodAutoscaler', 'ServiceMonitor']),
    );
    expect(await faultsOf(manifests)).toEqual([]);
  });
});

type Planted = readonly [name: string, pattern: RegExp, replacement: string, fault: RegExp];

/** Changes of the local overlay's text that schemas must refuse, and by which words. */
const PLANTED_IN_FIELDS: readonly Planted[] = [
  [
    'a field that Kubernetes does not know',
    /terminationGracePeriodSeconds: 60/,
    'terminationGraceSeconds: 60',
    /terminationGraceSeconds/,
  ],
  ['a number that is text', /replicas: 1/, 'replicas: "many"', /replicas|integer|number/],
];

/** And those that rules must refuse. */
const PLANTED: readonly Planted[] = [
  [
    'a variable that is no setting',
    /AUGMENTATION_THREADS/,
    'AUGMENTATION_THREAD_COUNT',
    /AUGMENTATION_THREAD_COUNT must be a setting of augmentation/,
  ],
  [
    'a shared variable that is no setting',
    /LUNASTREAM_DRAIN_TIMEOUT_MS:/,
    'LUNASTREAM_DRAIN_TIME:',
    /LUNASTREAM_DRAIN_TIME must be a setting of every service/,
  ],
  ['another port than the settings', /0\.0\.0\.0:50052/, '0.0.0.0:50062', /port 50062 must be declared/],
  [
    'a probe that asks for another',
    /service: liveness/,
    'service: readiness',
    /liveness probe must ask for liveness, got readiness/,
  ],
  ['a probe on another port', /port: 50050/, 'port: 50051', /probe must ask on port 50050, got 50051/],
  [
    'a grace period that is shorter than the drain',
    /terminationGracePeriodSeconds: 60/,
    'terminationGracePeriodSeconds: 45',
    /terminationGracePeriodSeconds must be at least 50, got 45/,
  ],
  [
    'an image that nobody builds',
    /lunastream\/augmentation:dev/,
    'lunastream/augment:dev',
    /must be one that deploy\/images builds/,
  ],
  [
    'an image that may change',
    /lunastream\/augmentation:dev/,
    'lunastream/augmentation:latest',
    /must have the tag .*, got latest/,
  ],
  [
    'a root file system that can be written',
    /readOnlyRootFilesystem: true/,
    'readOnlyRootFilesystem: false',
    /readOnlyRootFilesystem must be true/,
  ],
  ['root', /runAsNonRoot: true/, 'runAsNonRoot: false', /runAsNonRoot must be true/],
  [
    "the cluster's token",
    /automountServiceAccountToken: false\n {6}containers/,
    'automountServiceAccountToken: true\n      containers',
    /automountServiceAccountToken must be false/,
  ],
  [
    'a folder outside volumes',
    /(CHUNK_CACHE_STORE_FOLDER\n +value: )\S+/,
    '$1/chunks',
    /CHUNK_CACHE_STORE_FOLDER must be a writable volume, got \/chunks/,
  ],
  [
    'an address that is no Service',
    /chunk-cache:50051/,
    'chunk-store:50051',
    /must name a Service and its port, got chunk-store:50051/,
  ],
  [
    'a Service without a port behind it',
    /targetPort: grpc/,
    'targetPort: rpc',
    /port grpc must be a port of the pods that it selects/,
  ],
  [
    'a call that no policy allows',
    /- port: 50051\n/,
    '- port: 50059\n',
    /must be allowed .* settings make that call/,
  ],
  [
    'a call that nobody makes',
    /lunastream\/client: "true"/,
    'lunastream/role: augmentation',
    /must not be allowed from augmentation on 50053/,
  ],
  [
    'a budget of nobody',
    /maxUnavailable: 50%\n {2}selector:\n {4}matchLabels:\n {6}app\.kubernetes\.io\/name: augmentation/,
    'maxUnavailable: 50%\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: worker',
    /PodDisruptionBudget augmentation must select a workload/,
  ],
  ['a budget that lets nobody go', /maxUnavailable: 50%/, 'maxUnavailable: 0', /must let a pod go/],
];

describe.skipIf(!hasKubectl)('a planted fault is refused [needs kubectl]', () => {
  let text: string;
  let parse: (text: string) => Manifest[];
  beforeAll(async () => {
    const { parseAllDocuments, stringify } = await import('yaml');
    text = render(join(K8S_FOLDER, 'overlays/local'))
      .map((manifest) => stringify(manifest, { lineWidth: 0 }))
      .join('---\n');
    parse = (changed) => parseAllDocuments(changed).map((document) => document.toJS() as Manifest);
  });

  it.each(PLANTED_IN_FIELDS)('%s', async (_name, pattern, replacement, fault) => {
    expect(text).toMatch(pattern);
    expect((await brokenSchemas(parse(text.replace(pattern, replacement)))).join('\n')).toMatch(fault);
  });

  it.each(PLANTED)('%s', (_name, pattern, replacement, fault) => {
    expect(text).toMatch(pattern);
    expect(brokenRules(parse(text.replace(pattern, replacement))).join('\n')).toMatch(fault);
  });
});
