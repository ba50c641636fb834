import {
  containersOf,
  environmentOf,
  matches,
  serviceOf,
  specsOf,
  workloadsOf,
  type Labels,
  type Manifest,
  type Selector,
  type Workload,
} from './manifest.ts';
import type { Rule } from './pod-rules.ts';

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: unknown;
}
interface PolicyRule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly port?: number | string }[];
}
interface PolicySpec {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
}
interface ServiceSpec {
  readonly clusterIP?: string;
  readonly selector: Labels;
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly targetPort: number | string;
  }[];
}

/** A call that settings make: from the pods of one workload to a port of another's. */
interface Call {
  readonly from: Workload;
  readonly to: Workload;
  readonly port: number;
  readonly portName: string;
}

/** Settings that name servers: addresses of our services, and URLs of others. */
const NAMES_SERVERS = /_ADDRESS(?:ES)?$|_SHARED_STORE$|_OTLP_ENDPOINT$/;
/** Those whose clients use every server that a name stands for, if they are told to look. */
const NAMES_EVERY_SERVER = ['AUGMENTATION_CHUNK_CACHE_ADDRESS', 'TRAINER_WORKER_ADDRESSES'];
const TARGET = /(?:^|,|\/\/\/?)([a-z][a-z0-9-]*):(\d+)/g;
/** Ports that the platform and Prometheus ask; policies for them are not about calls. */
const NOT_CALLED = ['probes', 'metrics', 'health'];

function targetsOf(manifests: readonly Manifest[]) {
  return workloadsOf(manifests).flatMap((from) =>
    containersOf(from)
      .filter((container) => serviceOf(container) !== undefined)
      .flatMap((container) => Object.entries(environmentOf(container, manifests)))
      .filter(([name]) => NAMES_SERVERS.test(name))
      .flatMap(([name, value]) =>
        [...value.matchAll(TARGET)].map(([, host, port]) => ({
          from,
          name,
          value,
          host: host!,
          port: Number(port),
        })),
      ),
  );
}

function callsOf(manifests: readonly Manifest[]): Call[] {
  const services = specsOf<ServiceSpec>(manifests, 'Service');
  return targetsOf(manifests).flatMap(({ from, host, port }) => {
    const service = services.find(({ name }) => name === host);
    const to = workloadsOf(manifests).find(
      ({ labels }) => service && matches({ matchLabels: service.spec.selector }, labels),
    );
    const portName = service?.spec.ports.find((one) => one.port === port)?.name ?? '';
    return to === undefined ? [] : [{ from, to, port, portName }];
  });
}

/** Addresses in settings name a Service and a port of it; Services lead to ports of pods. */
export const serviceRule: Rule = (manifests) => {
  const services = specsOf<ServiceSpec>(manifests, 'Service');
  const unknown = targetsOf(manifests)
    .filter(
      ({ host, port }) =>
        !services.some(({ name, spec }) => name === host && spec.ports.some((one) => one.port === port)),
    )
    .map(
      ({ from, name, host, port }) =>
        `${from.kind} ${from.name}: ${name} must name a Service and its port, got ${host}:${port}`,
    );
  const dangling = services.flatMap(({ name, spec }) => {
    const workload = workloadsOf(manifests).find(({ labels }) =>
      matches({ matchLabels: spec.selector }, labels),
    );
    const ports =
      workload === undefined ? [] : containersOf(workload).flatMap((container) => container.ports ?? []);
    return spec.ports
      .filter(
        ({ port, targetPort }) => !ports.some((one) => one.name === targetPort && one.containerPort === port),
      )
      .map((port) => `Service ${name}: port ${port.name} must be a port of the pods that it selects`);
  });
  const first = targetsOf(manifests)
    .filter(({ name, host, value }) => {
      const service = services.find((one) => one.name === host);
      const isHeadless = service?.spec.clusterIP === 'None';
      return NAMES_EVERY_SERVER.includes(name) && isHeadless && !value.startsWith('dns:///');
    })
    .map(
      ({ from, name, value }) =>
        `${from.kind} ${from.name}: ${name} must be dns:///${value} to use every pod, got ${value}`,
    );
  return [...unknown, ...dangling, ...first];
};

function allows(
  rules: readonly PolicyRule[] | undefined,
  side: 'from' | 'to',
  peer: Labels,
  ports: readonly (number | string)[],
): boolean {
  return (rules ?? []).some(
    (rule) =>
      (rule[side] ?? []).some(
        ({ podSelector, namespaceSelector }) =>
          podSelector !== undefined && namespaceSelector === undefined && matches(podSelector, peer),
      ) && (rule.ports ?? []).some(({ port }) => port !== undefined && ports.includes(port)),
  );
}

/** A call that could be made: from the pods of one workload to a port of another's. */
function possibleCalls(manifests: readonly Manifest[]): Call[] {
  const workloads = workloadsOf(manifests);
  return workloads.flatMap((to) =>
    containersOf(to)
      .flatMap(({ ports }) => ports ?? [])
      .filter(({ name }) => !NOT_CALLED.includes(name))
      .flatMap(({ containerPort: port, name: portName }) =>
        workloads.map((from) => ({ from, to, port, portName })),
      ),
  );
}

function forbidsTheRest({ podSelector, policyTypes, ingress, egress }: PolicySpec): boolean {
  return Object.keys(podSelector).length === 0 && policyTypes.length === 2 && !ingress && !egress;
}

/** Every call that settings make is allowed on both sides, and no other between our workloads is. */
export const networkPolicyRule: Rule = (manifests) => {
  const policies = specsOf<PolicySpec>(manifests, 'NetworkPolicy').map(({ spec }) => spec);
  const made = callsOf(manifests);
  const isMade = ({ from, to, port }: Call) =>
    made.some((call) => call.from.name === from.name && call.to.name === to.name && call.port === port);
  const isAllowed = (side: 'ingress' | 'egress', own: Labels, peer: Labels, { port, portName }: Call) =>
    policies.some(
      (policy) =>
        matches(policy.podSelector, own) &&
        allows(policy[side], side === 'ingress' ? 'from' : 'to', peer, [portName, port]),
    );
  const faults = possibleCalls(manifests).flatMap((call) => {
    const { from, to, port } = call;
    const [verb, reason] = isMade(call) ? ['must', 'make'] : ['must not', 'do not make'];
    const sides = [
      {
        isRight: isAllowed('egress', from.labels, to.labels, call) === isMade(call),
        text: `egress of ${from.name} ${verb} be allowed to ${to.name}`,
      },
      {
        isRight: isAllowed('ingress', to.labels, from.labels, call) === isMade(call),
        text: `ingress of ${to.name} ${verb} be allowed from ${from.name}`,
      },
    ];
    return sides
      .filter(({ isRight }) => !isRight)
      .map(({ text }) => `${text} on ${port}: settings ${reason} that call`);
  });
  return policies.some(forbidsTheRest)
    ? faults
    : ['a NetworkPolicy must forbid what no other allows', ...faults];
};

/** A disruption budget selects a workload and lets a drain of a node go on. */
export const disruptionRule: Rule = (manifests) =>
  specsOf<{ selector: { matchLabels?: Labels }; maxUnavailable?: number | string; minAvailable?: unknown }>(
    manifests,
    'PodDisruptionBudget',
  ).flatMap(({ name, spec }) => [
    ...(workloadsOf(manifests).some(({ labels }) => matches(spec.selector, labels))
      ? []
      : [`PodDisruptionBudget ${name} must select a workload`]),
    ...(spec.maxUnavailable === undefined || [0, '0', '0%'].includes(spec.maxUnavailable)
      ? [`PodDisruptionBudget ${name} must let a pod go (maxUnavailable)`]
      : []),
  ]);
