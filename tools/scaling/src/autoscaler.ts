import type { ScalingDirection, ScalingRules } from './scaling-rules.ts';

/** Within this share of what is there, Kubernetes' autoscaler changes nothing (its default tolerance). */
const TOLERANCE = 0.1;

interface Recommendation {
  readonly second: number;
  readonly replicas: number;
}

/** The autoscaler of Kubernetes: limits, tolerance, stabilisation and rate of change. It remembers what it did. */
export class Autoscaler {
  readonly #rules: ScalingRules;
  readonly #recommendations: Recommendation[] = [];
  readonly #history: Recommendation[] = [];

  constructor(rules: ScalingRules) {
    this.#rules = rules;
  }

  /** The replicas to have from `second` on, when `wanted` are asked for and `current` are there. */
  decide(second: number, current: number, wanted: number): number {
    const { minReplicas, maxReplicas, scaleUp, scaleDown } = this.#rules;
    const tolerated = Math.abs(wanted / current - 1) <= TOLERANCE ? current : Math.ceil(wanted);
    const bounded = Math.min(maxReplicas, Math.max(minReplicas, tolerated));
    this.#recommendations.push({ second, replicas: bounded });
    this.#history.push({ second, replicas: current });
    if (bounded > current) {
      const stable = Math.min(...this.#recommended(second, scaleUp));
      return Math.min(Math.max(stable, current), this.#reach(second, scaleUp, 1));
    }
    const stable = Math.max(...this.#recommended(second, scaleDown));
    return Math.max(Math.min(stable, current), this.#reach(second, scaleDown, -1));
  }

  #recommended(second: number, { stabilizationWindowSeconds }: ScalingDirection): number[] {
    return this.#recommendations
      .filter((one) => one.second >= second - stabilizationWindowSeconds)
      .map(({ replicas }) => replicas);
  }

  /** The farthest that the policies allow, from what was there when their periods began. */
  #reach(second: number, { policies }: ScalingDirection, sign: 1 | -1): number {
    const reaches = policies.map(({ type, value, periodSeconds }) => {
      const atStart = this.#history.find((one) => one.second > second - periodSeconds)!.replicas;
      const change = type === 'Pods' ? value : (atStart * value) / 100;
      return sign === 1 ? Math.ceil(atStart + change) : Math.floor(atStart - change);
    });
    return sign === 1 ? Math.max(...reaches) : Math.min(...reaches);
  }
}
