import { specsOf, type Manifest } from './manifest.ts';
import type { Rule } from './pod-rules.ts';

interface Behavior {
  readonly scaleDown?: { readonly stabilizationWindowSeconds?: number };
}
interface ScaledObjectSpec {
  readonly scaleTargetRef: { readonly name: string };
  readonly fallback?: { readonly replicas: number };
  readonly advanced?: { readonly horizontalPodAutoscalerConfig?: { readonly behavior?: Behavior } };
  readonly triggers: readonly { readonly metadata: { readonly ignoreNullValues?: string } }[];
}
interface AutoscalerSpec {
  readonly scaleTargetRef: { readonly name: string };
  readonly behavior?: Behavior;
}

/** A lull, as validation is one, must be shorter to pass without losing workers (docs/scaling.md). */
const SCALE_DOWN_SECONDS = 300;

interface Scaler {
  readonly label: string;
  readonly target: string;
  readonly behavior: Behavior | undefined;
}

function scalersOf(manifests: readonly Manifest[]): Scaler[] {
  return [
    ...specsOf<ScaledObjectSpec>(manifests, 'ScaledObject').map(({ name, spec }) => ({
      label: `ScaledObject ${name}`,
      target: spec.scaleTargetRef.name,
      behavior: spec.advanced?.horizontalPodAutoscalerConfig?.behavior,
    })),
    ...specsOf<AutoscalerSpec>(manifests, 'HorizontalPodAutoscaler').map(({ name, spec }) => ({
      label: `HorizontalPodAutoscaler ${name}`,
      target: spec.scaleTargetRef.name,
      behavior: spec.behavior,
    })),
  ];
}

/** A Deployment has one autoscaler, which alone owns its replicas and is slow to take workers away; no value is not no demand. */
export const autoscalingRule: Rule = (manifests) => {
  const scalers = scalersOf(manifests);
  const replicas = new Map(
    specsOf<{ replicas?: number }>(manifests, 'Deployment').map(({ name, spec }) => [name, spec.replicas]),
  );
  const ofScalers = scalers.flatMap(({ label, target, behavior }) => [
    ...(replicas.has(target) ? [] : [`${label} must scale a Deployment, got ${target}`]),
    ...(replicas.get(target) === undefined ? [] : [`Deployment ${target} must leave replicas to ${label}`]),
    ...(scalers.filter((other) => other.target === target).length === 1
      ? []
      : [`${label} must be the only one of ${target}`]),
    ...((behavior?.scaleDown?.stabilizationWindowSeconds ?? 0) >= SCALE_DOWN_SECONDS
      ? []
      : [`${label} must wait ${SCALE_DOWN_SECONDS} s before it scales down`]),
  ]);
  const ofKeda = specsOf<ScaledObjectSpec>(manifests, 'ScaledObject').flatMap(({ name, spec }) => [
    ...(spec.triggers.every(({ metadata }) => metadata.ignoreNullValues === 'false')
      ? []
      : [`ScaledObject ${name} must not take no value for no demand (ignoreNullValues)`]),
    ...((spec.fallback?.replicas ?? 0) > 0
      ? []
      : [`ScaledObject ${name} must have a fallback for when Prometheus is away`]),
  ]);
  return [...ofScalers, ...ofKeda];
};
