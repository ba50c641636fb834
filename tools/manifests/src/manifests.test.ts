import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { containersOf, workloadsOf, type Manifest } from './manifest.ts';
import {
  PLANTED,
  PLANTED_IN_AUTOSCALING,
  PLANTED_IN_COMPONENTS,
  PLANTED_IN_FIELDS,
  PLANTED_IN_FOREIGN_FIELDS,
} from './planted-faults.ts';
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
/** All that go together: one of the two autoscalers, and the run before what changes it. */
const TOGETHER = ['run-job', ...components.filter((name) => name !== 'run-job' && name !== 'keda')];

describe.skipIf(!hasKubectl)('the manifests of deploy/k8s [needs kubectl]', () => {
  it.each(overlays)('keep schemas and rules in overlay %s', async (overlay) => {
    expect(await faultsOf(render(join(K8S_FOLDER, 'overlays', overlay)))).toEqual([]);
  });

  it.each(components)('keep schemas and rules with component %s alone', async (component) => {
    expect(await faultsOf(renderWith(K8S_FOLDER, [component]))).toEqual([]);
  });

  it('keep schemas and rules with all components together', async () => {
    const manifests = renderWith(K8S_FOLDER, TOGETHER);
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['Job', 'HorizontalPodAutoscaler', 'ServiceMonitor', 'PrometheusRule']),
    );
    expect(await faultsOf(manifests)).toEqual([]);
  });

  it('give Grafana every dashboard, as it was generated', () => {
    const given = renderWith(K8S_FOLDER, ['dashboards'])
      .filter(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1')
      .flatMap(({ data }) => Object.entries(data ?? {}));
    expect(given.length).toBeGreaterThanOrEqual(3);
    expect(Object.fromEntries(given)).toEqual(facts.dashboards);
  });

  it('scale by the same limits with KEDA as with an autoscaler of Kubernetes', () => {
    const specOf = (component: string, kind: string) =>
      renderWith(K8S_FOLDER, [component]).find((manifest) => manifest.kind === kind)!.spec;
    const hpa = specOf('hpa', 'HorizontalPodAutoscaler') as {
      minReplicas: number;
      maxReplicas: number;
      behavior: object;
    };
    expect(specOf('keda', 'ScaledObject')).toMatchObject({
      minReplicaCount: hpa.minReplicas,
      maxReplicaCount: hpa.maxReplicas,
      advanced: { horizontalPodAutoscalerConfig: { behavior: hpa.behavior } },
    });
  });

  it('give a run as a Job the certificates, the token and the GPU', () => {
    const job = workloadsOf(renderWith(K8S_FOLDER, TOGETHER)).find(({ kind }) => kind === 'Job')!;
    const [trainer, command] = containersOf(job);
    for (const container of [trainer!, command!])
      expect(container.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual(
        expect.arrayContaining(['/etc/lunastream/tls', '/etc/lunastream/token']),
      );
    expect(trainer!.resources?.limits).toHaveProperty(['nvidia.com/gpu'], 1);
    expect(trainer!.image).toBe('lunastream/trainer-webgpu:0.1.0');
  });
});

const toText = (manifests: readonly Manifest[]) =>
  manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
const parse = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Manifest);

describe.skipIf(!hasKubectl)('a planted fault is refused [needs kubectl]', () => {
  let text: string;
  let componentsText: string;
  let kedaText: string;
  beforeAll(() => {
    text = toText(render(join(K8S_FOLDER, 'overlays/local')));
    componentsText = toText(renderWith(K8S_FOLDER, TOGETHER));
    kedaText = toText(renderWith(K8S_FOLDER, [...TOGETHER.filter((name) => name !== 'hpa'), 'keda']));
  });

  it.each(PLANTED_IN_FIELDS)('%s', async (_name, pattern, replacement, fault) => {
    expect(text).toMatch(pattern);
    expect((await brokenSchemas(parse(text.replace(pattern, replacement)))).join('\n')).toMatch(fault);
  });

  it.each(PLANTED_IN_FOREIGN_FIELDS)('%s', async (_name, pattern, replacement, fault) => {
    expect(kedaText).toMatch(pattern);
    expect((await brokenSchemas(parse(kedaText.replace(pattern, replacement)))).join('\n')).toMatch(fault);
  });

  it.each(PLANTED_IN_AUTOSCALING)('of autoscaling: %s', (_name, pattern, replacement, fault) => {
    expect(brokenRules(parse(kedaText))).toEqual([]);
    expect(kedaText).toMatch(pattern);
    expect(brokenRules(parse(kedaText.replace(pattern, replacement))).join('\n')).toMatch(fault);
  });

  it('of autoscaling: two autoscalers, and a Deployment that has a number of its own', () => {
    const both = [...parse(kedaText), ...renderWith(K8S_FOLDER, ['hpa'])];
    expect(brokenRules(both).join('\n')).toMatch(/ScaledObject augmentation must be the only one/);
    const rules = brokenRules([
      ...renderWith(K8S_FOLDER, []),
      ...parse(kedaText).filter(({ kind }) => kind === 'ScaledObject'),
    ]);
    expect(rules).toEqual(['Deployment augmentation must leave replicas to ScaledObject augmentation']);
  });

  it.each(PLANTED)('%s', (_name, pattern, replacement, fault) => {
    expect(text).toMatch(pattern);
    expect(brokenRules(parse(text.replace(pattern, replacement))).join('\n')).toMatch(fault);
  });

  it.each(PLANTED_IN_COMPONENTS)('of components: %s', (_name, pattern, replacement, fault) => {
    expect(componentsText).toMatch(pattern);
    expect(brokenRules(parse(componentsText.replace(pattern, replacement))).join('\n')).toMatch(fault);
  });
});
