import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** How many pods a direction of scaling may change. */
export interface ScalingPolicy {
  readonly type: 'Percent' | 'Pods';
  readonly value: number;
  readonly periodSeconds: number;
}

/** One direction of scaling, as Kubernetes' autoscaler has it; of several policies the one that changes most counts. */
export interface ScalingDirection {
  readonly stabilizationWindowSeconds: number;
  readonly policies: readonly ScalingPolicy[];
}

/** The rules by which the cluster scales workers. */
export interface ScalingRules {
  /** Factor on demand divided by throughput. */
  readonly headroom: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly pollingSeconds: number;
  readonly scaleUp: ScalingDirection;
  readonly scaleDown: ScalingDirection;
}

interface ScaledObject {
  readonly spec: {
    readonly minReplicaCount: number;
    readonly maxReplicaCount: number;
    readonly pollingInterval: number;
    readonly advanced: {
      readonly horizontalPodAutoscalerConfig: {
        readonly behavior: { readonly scaleUp: ScalingDirection; readonly scaleDown: ScalingDirection };
      };
    };
    readonly triggers: readonly { readonly metadata: { readonly query: string } }[];
  };
}

/** Headroom * demand / throughput, as the trigger's query computes it. */
const QUERY =
  /^(?<headroom>[\d.]+) \* \(sum\(lunastream_demand_per_second\) or 0 \* sum\(lunastream_run_active\)\) \/ scalar\(avg\(lunastream_worker_capacity_per_second\{service_name="augmentation"\}\)\)$/;

/**
 * Reads the rules of a KEDA ScaledObject, so that what is simulated is what is deployed.
 * @throws Error when its query is another formula than the simulator's.
 */
export function readScalingRules(path: string): ScalingRules {
  const { spec } = parse(readFileSync(path, 'utf8')) as ScaledObject;
  const query = spec.triggers[0]!.metadata.query.trim();
  const headroom = QUERY.exec(query)?.groups?.['headroom'];
  if (headroom === undefined) {
    throw new Error(
      `Cannot read the scaling rules of ${path}: the query must be headroom * demand / throughput, got ${query}`,
    );
  }
  return {
    headroom: Number(headroom),
    minReplicas: spec.minReplicaCount,
    maxReplicas: spec.maxReplicaCount,
    pollingSeconds: spec.pollingInterval,
    ...spec.advanced.horizontalPodAutoscalerConfig.behavior,
  };
}
