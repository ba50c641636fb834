import { PROBES } from '@lunastream/service-kit';
import {
  containersOf,
  environmentOf,
  ownImage,
  serviceOf,
  workloadsOf,
  type Container,
  type Manifest,
  type Workload,
} from './manifest.ts';
import type { ServiceFacts } from './service-facts.ts';

/** A rule that manifests must keep: a sentence per fault. */
export type Rule = (manifests: readonly Manifest[], facts: ServiceFacts) => string[];

/** Variables that no setting of ours reads: OpenTelemetry's, the AWS SDK's and Node's own, and what arguments refer to. */
const FOREIGN_VARIABLES = /^(?:OTEL_|AWS_|NODE_|RUN_SEED$)/;
/** Images with an engine that computes on a GPU. */
export const GPU_IMAGES: readonly string[] = ['trainer-webgpu', 'trainer-tensorflow'];
/** Beyond waiting: the second that ended streams get, connections, stores and telemetry. */
export const CLOSING_SECONDS = 10;

type ContainerRule = (
  container: Container,
  workload: Workload,
  context: { manifests: readonly Manifest[]; facts: ServiceFacts },
) => string[];

/** A rule about each container, or only about those of ours or of others. */
function ofContainers(rule: ContainerRule, which: 'all' | 'ours' | 'others' = 'ours'): Rule {
  return (manifests, facts) =>
    workloadsOf(manifests).flatMap((workload) =>
      containersOf(workload)
        .filter((container) => which === 'all' || (which === 'ours') === (serviceOf(container) !== undefined))
        .flatMap((container) =>
          rule(container, workload, { manifests, facts }).map(
            (fault) => `${workload.kind} ${workload.name}, ${container.name}: ${fault}`,
          ),
        ),
    );
}

const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));

/** Every variable, its own or of a ConfigMap, is a setting of the service that gets it. */
export const environmentRule = ofContainers((container, _, { manifests, facts }) => {
  const known = facts.variables[serviceOf(container)!] ?? [];
  return Object.keys(environmentOf(container, manifests))
    .filter((name) => !known.includes(name) && !FOREIGN_VARIABLES.test(name))
    .map((name) => `${name} must be a setting of ${serviceOf(container)}`);
});

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
  const name = ownImage(container)!;
  const tag = /:([^:/]+)$/.exec(container.image)?.[1];
  return [
    ...(facts.images.includes(name)
      ? []
      : [`image ${container.image} must be one that deploy/images builds`]),
    ...(tag === facts.version || (tag === 'dev' && container.image.startsWith('localhost/'))
      ? []
      : [`image ${container.image} must have the tag ${facts.version}, got ${tag ?? 'none'}`]),
  ];
});

/** Programs of others have a version that stays what it is, too, and the one that the Compose file decides on. */
export const pinnedImageRule = ofContainers(({ image }, _, { facts }) => {
  const [name = '', tag] = image.split(':');
  const decided = facts.programs[name];
  return [
    ...(/:v?\d+\.\d+\.\d+[^:/]*$/.test(image) ? [] : [`image ${image} must have a whole version as its tag`]),
    ...(tag === decided ? [] : [`image ${image} must be ${decided ?? 'unused'}, as in deploy/compose.yaml`]),
  ];
}, 'others');

const GPU = 'nvidia.com/gpu';

/** Whoever gets a GPU has an image whose engine computes on it, and the other way round; its node may take no other pods. */
export const gpuRule = ofContainers((container, { pod }) => {
  const hasGpu = container.resources?.limits?.[GPU] !== undefined;
  const image = ownImage(container)!;
  if (!hasGpu) return GPU_IMAGES.includes(image) ? [`image ${image} must be given a GPU (${GPU})`] : [];
  return [
    ...(GPU_IMAGES.includes(image) ? [] : [`a GPU needs an image of ${GPU_IMAGES.join(', ')}, got ${image}`]),
    ...(pod.tolerations?.some(({ key }) => key === GPU) === true ? [] : [`a GPU's node must be tolerated`]),
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
}, 'all');

/** What a service writes to is a volume: the root file system is read-only, and so are the folders that settings default to. */
export const folderRule = ofContainers((container, _, { manifests, facts }) => {
  const environment = environmentOf(container, manifests);
  const folders = (facts.variables[serviceOf(container)!] ?? [])
    .filter((name) => serviceOf(container) !== 'cli' && isWritten(name, environment))
    .map((name) => [name, environment[name]] as const);
  return folders
    .filter(([, path]) => path === undefined || !isBelow(path, container, { writable: true }))
    .map(([name, path]) => `${name} must be a writable volume, got ${path ?? 'none'}`);
});

/** Folders of local data sets are written to where there are some. */
function isWritten(name: string, environment: Readonly<Record<string, string>>): boolean {
  return (
    name.endsWith('_FOLDER') &&
    (!name.startsWith('TRAINER_LOCAL_') || 'TRAINER_LOCAL_DATASETS' in environment)
  );
}

function isBelow(
  path: string,
  { volumeMounts = [] }: Container,
  { writable }: { writable: boolean },
): boolean {
  return volumeMounts.some(
    ({ mountPath, readOnly }) =>
      (path === mountPath || path.startsWith(`${mountPath}/`)) && !(writable && readOnly === true),
  );
}

/** Certificates, keys, tokens and data that settings name are in volumes. */
export const mountedFileRule = ofContainers((container, _, { manifests }) =>
  Object.entries(environmentOf(container, manifests))
    .flatMap(([name, value]) => filesOf(name, value).map((path) => [name, path] as const))
    .filter(([, path]) => !isBelow(path, container, { writable: false }))
    .map(([name, path]) => `${name} must be in a volume, got ${path}`),
);

function filesOf(name: string, value: string): string[] {
  if (/_TLS_(?:CERT|KEY|CA)$|_TOKEN_FILE$/.test(name)) return [value];
  if (!name.endsWith('_DATASETS')) return [];
  return value
    .split(',')
    .map((entry) => entry.slice(entry.indexOf('=') + 1))
    .filter((place) => place.startsWith('/'));
}

/** ConfigMaps that containers and volumes refer to are there. Secrets are made by others. */
export const configMapRule: Rule = (manifests) => {
  const names = manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
  return workloadsOf(manifests).flatMap((workload) => {
    const referred = [
      ...containersOf(workload).flatMap(({ envFrom = [] }) => envFrom.map((from) => from.configMapRef?.name)),
      ...(workload.pod.volumes ?? []).map((volume) => volume.configMap?.name),
    ];
    return referred
      .filter((name) => name !== undefined && !names.includes(name))
      .map((name) => `${workload.kind} ${workload.name}: ConfigMap ${name} must be there`);
  });
};
