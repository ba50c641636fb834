import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { say } from '../workflow/process.mjs';
import { output } from './programs.mjs';
import { assertTrained, freePort, lunastream, trainOn, withScratch } from './scratch.mjs';

const OVERLAY = 'deploy/k8s/overlays/local';
/** What podman plays of Kubernetes; it knows no Service, NetworkPolicy or disruption budget. */
const PLAYED = ['ConfigMap', 'Deployment'];
/** The services' ports in the manifests. */
const PORTS = { 'chunk-cache': 50051, augmentation: 50052, trainer: 50053 };

/** Trains through the rendered manifests of the local overlay, played by podman. */
export function trainWithKube() {
  return withScratch(async ({ folder, data, runs }) => {
    const rendered = parseAllDocuments(await output('kubectl', ['kustomize', OVERLAY])).map((document) =>
      document.toJS(),
    );
    const manifests = rendered.map(toDeployment).filter(({ kind }) => PLAYED.includes(kind));
    const ports = {};
    for (const [service, port] of Object.entries(PORTS)) ports[`${service}:${port}`] = await freePort();
    for (const manifest of manifests) adaptToPodman(manifest, { folders: { luna: data, runs }, ports });
    const path = join(folder, 'manifests.yaml');
    await writeFile(path, manifests.map((manifest) => stringify(manifest)).join('---\n'));
    try {
      say(await output('podman', ['kube', 'play', '--network=host', '--log-driver=k8s-file', path]));
      say(await trainOn(`127.0.0.1:${ports[`trainer:${PORTS.trainer}`]}`, lunastream));
      await assertTrained(runs);
      return [`${manifests.filter(({ kind }) => kind === 'Deployment').length} workloads of ${OVERLAY}`];
    } catch (error) {
      const ids = (await output('podman', ['ps', '--all', '--quiet'])).split('\n').filter(Boolean);
      for (const id of ids) say(await output('podman', ['logs', id]));
      throw error;
    } finally {
      await output('podman', ['kube', 'down', path]).catch((error) => say(error.message));
    }
  });
}

/** podman plays no StatefulSet: a Deployment with the claims as volumes is the same for one pod. */
function toDeployment(manifest) {
  if (manifest.kind !== 'StatefulSet') return manifest;
  const { volumeClaimTemplates, serviceName, podManagementPolicy, ...spec } = manifest.spec;
  void [serviceName, podManagementPolicy];
  const claims = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} }));
  spec.template.spec.volumes = [...spec.template.spec.volumes, ...claims];
  return { ...manifest, kind: 'Deployment', spec };
}

/** All pods share this machine's network: names stand for loopback, ports are free ones, probes and metrics have none. */
function adaptToPodman(manifest, { folders, ports }) {
  if (manifest.kind === 'ConfigMap') {
    manifest.data.LUNASTREAM_PROBE_LISTEN = 'off';
    manifest.data.LUNASTREAM_PROMETHEUS_LISTEN = 'off';
  }
  if (manifest.kind !== 'Deployment') return;
  const pod = manifest.spec.template.spec;
  for (const container of pod.containers) {
    // Kubernetes' gRPC probes and preStop hooks are its own.
    for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe', 'lifecycle', 'ports'])
      delete container[name];
    for (const variable of container.env) variable.value = onLoopback(variable.value, ports);
  }
  for (const volume of pod.volumes) {
    if (volume.persistentVolumeClaim === undefined) continue;
    delete volume.persistentVolumeClaim;
    volume.hostPath = { path: folders[volume.name], type: 'Directory' };
  }
}

/** An address of the manifests, its Service's name and port replaced; other values as they are. */
function onLoopback(value, ports) {
  return Object.entries(ports).reduce((replaced, [address, port]) => {
    const [service, servicePort] = address.split(':');
    return replaced.replace(
      new RegExp(`(?:${service}|0\\.0\\.0\\.0):${servicePort}\\b`),
      `127.0.0.1:${port}`,
    );
  }, value);
}
