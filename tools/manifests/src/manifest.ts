/** What the checks read of a Kubernetes object; schemas look at all of it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

export type Labels = Readonly<Record<string, string>>;

/** Which objects a Service, policy, budget or monitor is about, by their labels. */
export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
}

export interface Probe {
  readonly grpc?: { readonly port: number; readonly service?: string };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly EnvironmentVariable[];
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string };
    readonly secretRef?: { readonly name: string };
  }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly exec?: { readonly command: readonly string[] } } };
  readonly resources?: {
    readonly requests?: object;
    readonly limits?: Readonly<Record<string, string | number>>;
  };
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly privileged?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts?: readonly { readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly seccompProfile?: { readonly type: string };
  };
  readonly hostNetwork?: boolean;
  readonly tolerations?: readonly { readonly key?: string }[];
  readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

/** A workload and the pods that it makes. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly labels: Labels;
  readonly pod: PodSpec;
}

const WORKLOAD_KINDS = ['Deployment', 'StatefulSet', 'Job'];

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => WORKLOAD_KINDS.includes(kind))
    .map(({ kind, metadata, spec }) => {
      const { template } = spec as { template: { metadata: { labels: Labels }; spec: PodSpec } };
      return { kind, name: metadata.name, labels: template.metadata.labels, pod: template.spec };
    });
}

/** Containers of a pod, sidecars first. */
export function containersOf({ pod }: Workload): readonly Container[] {
  return [...(pod.initContainers ?? []), ...pod.containers];
}

/** The name of an image of ours; undefined for other programs. */
export function ownImage({ image }: { readonly image: string }): string | undefined {
  return /(?:^|\/)lunastream\/([a-z-]+)(?::|$)/.exec(image)?.[1];
}

/** The service of ours that a container runs, by its image's name, variants included; undefined for other programs. */
export function serviceOf(container: { readonly image: string }): string | undefined {
  return ownImage(container)?.replace(/^trainer-[a-z]+$/, 'trainer');
}

/** The environment of a container as far as the manifests tell it: its ConfigMaps, then its own variables. */
export function environmentOf(
  container: Container,
  manifests: readonly Manifest[],
): Readonly<Record<string, string>> {
  const fromMaps = (container.envFrom ?? []).flatMap(({ configMapRef }) => {
    const map = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name,
    );
    return Object.entries(map?.data ?? {});
  });
  const own = (container.env ?? []).map(({ name, value }) => [name, value ?? ''] as const);
  return Object.fromEntries([...fromMaps, ...own]);
}

/** Whether `labels` have all that `selector` asks for. */
export function matches(selector: Selector | undefined, labels: Labels): boolean {
  return (
    Object.entries(selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value) &&
    (selector?.matchExpressions ?? []).every(
      ({ key, operator, values }) => operator === 'In' && values?.includes(labels[key] ?? '') === true,
    )
  );
}

/** The name and spec of every object of a kind. */
export function specsOf<Spec>(manifests: readonly Manifest[], kind: string) {
  return manifests
    .filter((manifest) => manifest.kind === kind)
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      labels: metadata.labels ?? {},
      spec: spec as Spec,
    }));
}
