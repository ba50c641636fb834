import { Autoscaler } from './autoscaler.ts';
import type { ScalingRules } from './scaling-rules.ts';
import { WorkerFleet, type WorkerModel } from './worker-fleet.ts';

/** Prometheus sees the services this often (deploy/k8s/components/monitoring). */
const SCRAPE_SECONDS = 15;
/** What CPU-based scaling aims at; Kubernetes' examples have 50 to 80 %. */
const CPU_TARGET = 0.7;

/** From `second` on, all trainers together could take `demand` samples per second. */
export interface DemandStep {
  readonly second: number;
  readonly demand: number;
}

/** The signal that workers are scaled by. */
export type Signal = 'demand' | 'cpu';

export interface Simulation {
  readonly steps: readonly DemandStep[];
  readonly durationSeconds: number;
  readonly workers: WorkerModel;
  readonly rules: ScalingRules;
  readonly signal: Signal;
}

/** What came of a simulation. */
export interface ScalingOutcome {
  /** Of each step up: seconds until there were enough workers; undefined when there never were. */
  readonly reactionSeconds: readonly (number | undefined)[];
  /** Most workers beyond what the highest demand so far of a step needed, as a share of that. */
  readonly overshoot: number;
  /** Samples that trainers waited for, as a share of those that they could have taken. */
  readonly stallFraction: number;
  /** Worker hours, and those of them beyond what demand needed. */
  readonly workerHours: number;
  readonly idleWorkerHours: number;
}

interface Second {
  readonly second: number;
  readonly demand: number;
  readonly supply: number;
  readonly ready: number;
  readonly replicas: number;
}

/** Runs the cluster second by second. The same settings give the same outcome. */
export function simulate({ steps, durationSeconds, workers, rules, signal }: Simulation): ScalingOutcome {
  const fleet = new WorkerFleet(workers, rules.minReplicas);
  const autoscaler = new Autoscaler(rules);
  const seconds: Second[] = [];
  let seen: Second | undefined;
  for (let second = 0; second < durationSeconds; second++) {
    const demand = steps.findLast((step) => step.second <= second)?.demand ?? 0;
    const state = {
      second,
      demand,
      supply: fleet.supply(second),
      ready: fleet.readyCount(second),
      replicas: fleet.replicas,
    };
    seconds.push(state);
    if (second % rules.pollingSeconds === 0 && seen !== undefined) {
      fleet.resize(second, autoscaler.decide(second, fleet.replicas, wantedReplicas(seen, rules, signal)));
    }
    // What is scraped now is used at the next poll.
    if (second % SCRAPE_SECONDS === 0) seen = state;
  }
  return summarize(seconds, steps, workers);
}

/** Replicas by the signal, not rounded. Without a worker that answers there is no throughput to divide by. */
function wantedReplicas(
  { demand, supply, ready, replicas }: Second,
  { headroom }: ScalingRules,
  signal: Signal,
): number {
  if (ready === 0) return replicas;
  if (signal === 'demand') return (headroom * demand) / (supply / ready);
  const utilisation = Math.min(1, demand / supply);
  return (ready * utilisation) / CPU_TARGET;
}

function summarize(
  seconds: readonly Second[],
  steps: readonly DemandStep[],
  { throughput }: WorkerModel,
): ScalingOutcome {
  const neededFor = (demand: number) => Math.ceil(demand / throughput);
  const total = (of: (second: Second) => number) => seconds.reduce((sum, one) => sum + of(one), 0);
  const demanded = total(({ demand }) => demand);
  return {
    reactionSeconds: stepsUp(steps).map((step) => reactionOf(seconds, step, neededFor(step.demand))),
    overshoot: Math.max(...stepsUp(steps).map((step) => overshootOf(seconds, step, neededFor(step.demand)))),
    stallFraction: total(({ demand, supply }) => Math.max(0, demand - supply)) / demanded,
    workerHours: total(({ replicas }) => replicas) / 3600,
    idleWorkerHours: total(({ replicas, demand }) => Math.max(0, replicas - neededFor(demand))) / 3600,
  };
}

function stepsUp(steps: readonly DemandStep[]): DemandStep[] {
  return steps.filter(({ demand }, index) => demand > (steps[index - 1]?.demand ?? 0));
}

/** The seconds of a step, until demand changes again. */
function during(seconds: readonly Second[], { second, demand }: DemandStep): readonly Second[] {
  const rest = seconds.slice(second);
  const end = rest.findIndex((one) => one.demand !== demand);
  return end === -1 ? rest : rest.slice(0, end);
}

function reactionOf(seconds: readonly Second[], step: DemandStep, needed: number): number | undefined {
  const served = during(seconds, step).find(({ ready }) => ready >= needed);
  return served && served.second - step.second;
}

function overshootOf(seconds: readonly Second[], step: DemandStep, needed: number): number {
  const most = Math.max(...during(seconds, step).map(({ replicas }) => replicas));
  // Workers that are still there from before were not started for this step.
  const before = seconds[step.second - 1]?.replicas ?? 0;
  return Math.max(0, (most - Math.max(needed, before)) / needed);
}
