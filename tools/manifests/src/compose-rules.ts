import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROBES } from '@lunastream/service-kit';
import type { ComposeProject, ComposeService } from './compose.ts';
import { ownImage, serviceOf } from './manifest.ts';
import { CLOSING_SECONDS, GPU_IMAGES } from './pod-rules.ts';

/** A rule that a Compose file must keep: a sentence per fault. */
export type ComposeRule = (project: ComposeProject) => string[];

type ServiceRule = (
  service: ComposeService,
  context: { readonly name: string; readonly ours: string | undefined; readonly project: ComposeProject },
) => string[];

const ofServices =
  (rule: ServiceRule): ComposeRule =>
  (project) =>
    Object.entries(project.compose.services).flatMap(([name, service]) =>
      rule(service, { name, ours: serviceOf(service), project }).map((fault) => `${name}: ${fault}`),
    );

/** Variables of OpenTelemetry, Node and the AWS SDK, which no setting of ours reads. */
const FOREIGN_VARIABLES = /^(?:OTEL_|NODE_|AWS_)/;
const SERVERS = /(?:^|,|\/\/\/?)([a-z][a-z0-9-]*):(\d+)/g;
const portOf = (address: string) => Number(/:(\d+)$/.exec(address)?.[1]);

/** Ports that a service listens on: by our settings, or as another program says. */
function listensOn(service: ComposeService): number[] {
  const own = Object.entries(service.environment ?? {})
    .filter(([name, value]) => name.endsWith('_LISTEN') && value !== 'off')
    .map(([, value]) => portOf(value));
  return [...own, ...(service.expose ?? []).map(Number)];
}

/** Images of ours are built here, at the version of the repository; those of others have a whole version. */
export const composeImageRule = ofServices(({ image, build }, { ours, project }) => {
  const { images, version } = project.facts;
  const target = ownImage({ image }) ?? '';
  if (ours === undefined)
    return /:v?\d+\.\d+\.\d+[^:/]*$/.test(image)
      ? []
      : [`image must have a whole version as its tag, got ${image}`];
  return [
    ...(images.includes(target) ? [] : [`image must be one that deploy/images builds, got ${image}`]),
    ...(build?.target === target ? [] : [`build.target must be ${target}, got ${build?.target ?? 'none'}`]),
    ...(image.endsWith(`:${version}`) ? [] : [`image must have the tag ${version}, got ${image}`]),
    ...(existsSync(join(project.folder, build?.context ?? '', build?.dockerfile ?? ''))
      ? []
      : [`build.dockerfile must exist, got ${build?.dockerfile ?? 'none'}`]),
  ];
});

/** Every variable of ours is a setting of the service that gets it. */
export const composeEnvironmentRule = ofServices(({ environment = {} }, { ours, project }) =>
  ours === undefined
    ? []
    : Object.keys(environment)
        .filter((name) => !project.facts.variables[ours]?.includes(name) && !FOREIGN_VARIABLES.test(name))
        .map((name) => `${name} must be a setting of ${ours}`),
);

/** Addresses in settings name a service and a port that it listens on; so do published ports. */
export const composeAddressRule = ofServices((service, { project }) => {
  const targets = Object.entries(service.environment ?? {})
    .filter(([, value]) => !value.startsWith('${'))
    .flatMap(([name, value]) =>
      [...value.matchAll(SERVERS)].map(([, host, port]) => ({ name, host: host!, port: Number(port) })),
    );
  const unknown = targets
    .filter(({ host, port }) => !listensOn(project.compose.services[host] ?? { image: '' }).includes(port))
    .map(
      ({ name, host, port }) =>
        `${name} must name a service and a port that it listens on, got ${host}:${port}`,
    );
  const published = (service.ports ?? [])
    .filter((port) => !listensOn(service).includes(portOf(port)) || !port.startsWith('127.0.0.1:'))
    .map((port) => `ports must be of this machine only and be listened on, got ${port}`);
  return [...unknown, ...published];
});

/** No two services publish one port, unless somebody says so. */
export const composePublishedRule: ComposeRule = ({ compose }) => {
  const published = Object.values(compose.services)
    .flatMap(({ ports }) => ports ?? [])
    .map((port) =>
      port
        .replaceAll(/\$\{\w+:-(\w*)\}/g, '$1')
        .split(':')
        .at(-2)!,
    );
  return [...new Set(published.filter((port, index) => published.indexOf(port) !== index))].map(
    (port) => `port ${port} must be published once`,
  );
};

/** Mounted files exist, mounted volumes are declared. */
export const composeMountRule = ofServices(({ volumes = [] }, { project }) =>
  volumes.flatMap((mount) => {
    if (mount.startsWith('${')) return [];
    const [source = '', , mode] = mount.split(':');
    if (!source.startsWith('.'))
      return Object.keys(project.compose.volumes ?? {}).includes(source)
        ? []
        : [`volume ${source} must be declared`];
    return [
      ...(existsSync(join(project.folder, source)) ? [] : [`${source} must exist to be mounted`]),
      ...(mode === 'ro' ? [] : [`${source} must be mounted read-only`]),
    ];
  }),
);

const mountPaths = ({ volumes = [] }: ComposeService) =>
  volumes.filter((mount) => !mount.endsWith(':ro')).map((mount) => mount.slice(mount.lastIndexOf(':') + 1));

/** Folders that services write to are volumes, and folders of the image's user: a new volume takes its owner from there. */
export const composeFolderRule = ofServices((service, { ours, project }) => {
  if (ours === undefined || ours === 'cli') return [];
  return (project.facts.variables[ours] ?? [])
    .filter((name) => name.endsWith('_FOLDER') && !name.startsWith('TRAINER_LOCAL_'))
    .map((name) => [name, service.environment?.[name] ?? 'none'] as const)
    .filter(([, folder]) => !mountPaths(service).includes(folder) || !project.imageFolders.includes(folder))
    .map(([name, folder]) => `${name} must be a volume and a folder of the image, got ${folder}`);
});

/** The health check asks a probe of the service, which listens for it. */
export const composeProbeRule = ofServices(({ healthcheck, environment = {} }, { ours }) => {
  if (ours === undefined || ours === 'cli') return [];
  const [, , program, probe] = healthcheck?.test ?? [];
  return [
    ...(program === '/app/probe.mjs' && PROBES.some((one) => one === probe)
      ? []
      : [`healthcheck must run /app/probe.mjs with a probe, got ${(healthcheck?.test ?? []).join(' ')}`]),
    ...(portOf(environment['LUNASTREAM_PROBE_LISTEN'] ?? '') > 0
      ? []
      : ['LUNASTREAM_PROBE_LISTEN must be set for the health check']),
  ];
});

/** Stopping takes no longer than the platform waits. */
export const composeGraceRule = ofServices(({ stop_grace_period: period, environment = {} }, { ours }) => {
  if (ours === undefined || ours === 'cli') return [];
  const needed = Number(environment['LUNASTREAM_DRAIN_TIMEOUT_MS'] ?? '0') / 1000 + CLOSING_SECONDS;
  const given = Number(/^(\d+)s$/.exec(period ?? '10s')?.[1]);
  return given >= needed ? [] : [`stop_grace_period must be at least ${needed}s, got ${period ?? 'none'}`];
});

/** No root, no privilege, nothing written but to volumes. */
export const composePrivilegeRule = ofServices((service, { ours }) => {
  const rules: readonly [boolean, string][] = [
    [service.read_only === true, 'read_only must be true'],
    [service.cap_drop?.includes('ALL') === true && service.cap_add === undefined, 'cap_drop must be ALL'],
    [service.security_opt?.includes('no-new-privileges:true') === true, 'no-new-privileges must be set'],
    [service.privileged !== true && service.network_mode === undefined, 'it must have no privilege'],
    // Our images say their user themselves.
    [ours !== undefined || /^[1-9]\d*:\d+$/.test(service.user ?? ''), 'user must be a number other than 0'],
  ];
  return rules.filter(([holds]) => !holds).map(([, fault]) => fault);
});

/** Whoever gets a GPU has an image whose engine computes on it, and the other way round. */
export const composeGpuRule = ofServices((service) => {
  const devices = service.deploy?.resources?.reservations?.devices ?? [];
  const hasGpu = devices.some(({ capabilities }) => capabilities.includes('gpu'));
  const canUseIt = GPU_IMAGES.includes(ownImage(service) ?? '');
  return hasGpu === canUseIt
    ? []
    : [`a GPU and an image of ${GPU_IMAGES.join(', ')} must come together, got ${service.image}`];
});

/** What a Compose file must agree with, beside its schema. */
export const COMPOSE_RULES: readonly ComposeRule[] = [
  composeImageRule,
  composeEnvironmentRule,
  composeAddressRule,
  composePublishedRule,
  composeMountRule,
  composeFolderRule,
  composeProbeRule,
  composeGraceRule,
  composePrivilegeRule,
  composeGpuRule,
];
