import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { say } from '../workflow/process.mjs';
import { output } from './programs.mjs';
import { assertTrained, trainOn, withScratch } from './scratch.mjs';

const OVERLAY = 'deploy/k8s/overlays/local';
/** What podman plays of Kubernetes; it knows no Service, NetworkPolicy or disruption budget. */
const PLAYED = ['ConfigMap', 'PersistentVolumeClaim', 'Deployment'];
const TRAINER = '127.0.0.1:50053';

/** Trains through the rendered manifests of the local overlay, played by podman. */
export function trainWithKube() {
  return withScratch(async ({ folder, data, runs }) => {
    const rendered = parseAllDocuments(await output('kubectl', ['kustomize', OVERLAY])).map((document) =>
      document.toJS(),
    );
    const manifests = rendered.map(toDeployment).filter(({ kind }) => PLAYED.includes(kind));
    for (const manifest of manifests) adaptToPodman(manifest, { data, runs });
    const path = join(folder, 'manifests.yaml');
    await writeFile(path, manifests.map((manifest) => stringify(manifest)).join('---\n'));
    try {
      say(await output('podman', ['kube', 'play', '--network=host', '--log-driver=k8s-file', path]));
      say(await trainOn(TRAINER));
      await assertTrained(runs);
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

/** One network for all pods, so names stand for loopback, and ports for probes and metrics would be taken twice. */
function adaptToPodman(manifest, { data, runs }) {
  if (manifest.kind === 'ConfigMap') {
    manifest.data.LUNASTREAM_PROBE_LISTEN = 'off';
    manifest.data.LUNASTREAM_PROMETHEUS_LISTEN = 'off';
  }
  if (manifest.kind !== 'Deployment') return;
  const pod = manifest.spec.template.spec;
  pod.hostAliases = [{ ip: '127.0.0.1', hostnames: ['chunk-cache', 'augmentation', 'trainer'] }];
  for (const container of pod.containers) {
    // Kubernetes' gRPC probes and preStop hooks are its own.
    for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe', 'lifecycle', 'ports'])
      delete container[name];
  }
  const folders = { luna: data, runs };
  for (const volume of pod.volumes) {
    if (volume.persistentVolumeClaim === undefined) continue;
    delete volume.persistentVolumeClaim;
    volume.hostPath = { path: folders[volume.name], type: 'Directory' };
  }
}
