import { PROBES } from '@lunastream/service-kit';
import {
  containersOf,
  environmentOf,
  serviceOf,
  workloadsOf,
  type Container,
  type Manifest,
  type Workload,
} from './manifest.ts';
import type { ServiceFacts } from './service-facts.ts';

/** A rule that manifests must keep: a sentence per fault. */
export type Rule = (manifests: readonly Manifest[], facts: ServiceFacts) => string[];

/** Variables that no setting of ours reads: OpenTelemetry's and Node's own, and what arguments refer to. */
const FOREIGN_VARIABLES = /^(?:OTEL_|NODE_|RUN_SEED$)/;
/** Beyond waiting: the second that ended streams get, connections, stores and telemetry. */
const CLOSING_SECONDS = 10;

type ContainerRule = (
  container: Container,
  workload: Workload,
  context: { manifests: readonly Manifest[]; facts: ServiceFacts },
) => string[];

/** A rule about each container of ours. */
function ofContainers(rule: ContainerRule): Rule {
  return (manifests, facts) =>
    workloadsOf(manifests).flatMap((workload) =>
      containersOf(workload)
        .filter((container) => serviceOf(container) !== undefined)
        .flatMap((container) =>
          rule(container, workload, { manifests, facts }).map(
            (fault) => `${workload.kind} ${workload.name}, ${container.name}: ${fault}`,
          ),
        ),
    );
}

const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));

/** Every variable is a setting of the service that gets it. */
export const environmentRule = ofContainers((container, _, { facts }) => {
  const known = facts.variables[serviceOf(container)!] ?? [];
  return (container.env ?? [])
    .filter(({ name }) => !known.includes(name) && !FOREIGN_VARIABLES.test(name))
    .map(({ name }) => `${name} must be a setting of ${serviceOf(container)}`);
});

/** Variables of shared ConfigMaps are settings of every service. */
export const sharedSettingsRule: Rule = (manifests, facts) =>
  manifests
    .filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('lunastream-'))
    .filter(({ data }) => Object.keys(data ?? {}).some((name) => name.startsWith('LUNASTREAM_')))
    .flatMap(({ data = {} }) =>
      Object.keys(data)
        .filter((name) => Object.values(facts.variables).some((known) => !known.includes(name)))
        .map((name) => `ConfigMap lunastream: ${name} must be a setting of every service`),
    );

/** Ports are those that the settings listen on, and no others. */
export const portRule = ofContainers((container, _, { manifests }) => {
  const environment = environmentOf(container, manifests);
  const listening = Object.entries(environment)
    .filter(([name, value]) => name.endsWith('_LISTEN') && value !== 'off' && !value.startsWith('127.'))
    .map(([, value]) => portOf(value));
  if (serviceOf(container) === 'cli') return [];
  const declared = (container.ports ?? []).map(({ containerPort }) => containerPort);
  return [
    ...listening
      .filter((port) => !declared.includes(port))
      .map((port) => `port ${port} must be declared, settings listen on it`),
    ...declared
      .filter((port) => !listening.includes(port))
      .map((port) => `port ${port} must be one that settings listen on`),
  ];
});

/** Probes ask what they are named for, on the port that answers probes. */
export const probeRule = ofContainers((container, { kind }, { manifests }) => {
  if (serviceOf(container) === 'cli') return [];
  const port = portOf(environmentOf(container, manifests)['LUNASTREAM_PROBE_LISTEN'] ?? '');
  // Nobody calls the trainer of a Job through a Service, so it need not be ready for one.
  const wanted = PROBES.filter((probe) => !(kind === 'Job' && probe === 'readiness'));
  return wanted.flatMap((probe) => {
    const asked = container[`${probe}Probe`]?.grpc;
    if (asked === undefined) return [`it must have a gRPC ${probe} probe`];
    return [
      ...(asked.service === probe
        ? []
        : [`its ${probe} probe must ask for ${probe}, got ${asked.service ?? 'none'}`]),
      ...(asked.port === port ? [] : [`its ${probe} probe must ask on port ${port}, got ${asked.port}`]),
    ];
  });
});

/** The grace period holds preStop and the whole drain. */
export const gracePeriodRule = ofContainers((container, { pod }, { manifests }) => {
  const environment = environmentOf(container, manifests);
  const seconds = (name: string) => Number(environment[name] ?? '0') / 1000;
  const preStopMs = Number(
    /(\d[\d_]*)\)$/
      .exec(container.lifecycle?.preStop?.exec?.command.at(-1) ?? '')?.[1]
      ?.replaceAll('_', '') ?? 0,
  );
  const needed =
    preStopMs / 1000 +
    seconds('LUNASTREAM_DRAIN_DELAY_MS') +
    seconds('LUNASTREAM_DRAIN_TIMEOUT_MS') +
    CLOSING_SECONDS;
  const given = pod.terminationGracePeriodSeconds ?? 30;
  return given >= needed ? [] : [`terminationGracePeriodSeconds must be at least ${needed}, got ${given}`];
});

/** Images are those that this repository builds, of a version that stays what it is. */
export const imageRule = ofContainers((container, _, { facts }) => {
  const service = serviceOf(container)!;
  const tag = /:([^:/]+)$/.exec(container.image)?.[1];
  return [
    ...(facts.images.includes(service)
      ? []
      : [`image ${container.image} must be one that deploy/images builds`]),
    ...(tag === facts.version || (tag === 'dev' && container.image.startsWith('localhost/'))
      ? []
      : [`image ${container.image} must have the tag ${facts.version}, got ${tag ?? 'none'}`]),
  ];
});

/** No root, no privilege, no token of the cluster, nothing written but to volumes. */
export const privilegeRule = ofContainers(({ securityContext, resources }, { pod }) => {
  const rules: readonly [boolean, string][] = [
    [pod.automountServiceAccountToken === false, 'automountServiceAccountToken must be false'],
    [pod.securityContext?.runAsNonRoot === true, 'runAsNonRoot must be true'],
    [pod.securityContext?.seccompProfile?.type === 'RuntimeDefault', 'seccompProfile must be RuntimeDefault'],
    [pod.hostNetwork !== true, 'hostNetwork must not be set'],
    [securityContext?.allowPrivilegeEscalation === false, 'allowPrivilegeEscalation must be false'],
    [securityContext?.privileged !== true, 'privileged must not be set'],
    [securityContext?.readOnlyRootFilesystem === true, 'readOnlyRootFilesystem must be true'],
    [securityContext?.capabilities?.drop?.includes('ALL') === true, 'capabilities must drop ALL'],
    [
      resources?.requests !== undefined && resources.limits !== undefined,
      'resources must be requested and limited',
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, fault]) => fault);
});

/** What a service writes to is a volume: the root file system is read-only. */
export const folderRule = ofContainers((container, _, { manifests }) => {
  const mounts = (container.volumeMounts ?? []).filter(({ readOnly }) => readOnly !== true);
  return Object.entries(environmentOf(container, manifests))
    .filter(([name]) => name.endsWith('_FOLDER'))
    .filter(
      ([, path]) => !mounts.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`)),
    )
    .map(([name, path]) => `${name} must be a writable volume, got ${path}`);
});
