import { rate, select, sumBy, type Matchers } from './queries.ts';

/** A series that Prometheus computes at every evaluation. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** Somebody is told while `signal` fulfils `condition`. */
export interface AlertRule {
  readonly alert: string;
  /** Has a value always, so that an alert that cannot fire is noticed. */
  readonly signal: string;
  readonly condition: string;
  /** Holds for as long before it fires. */
  readonly for: string;
  readonly severity: 'info' | 'warning' | 'critical';
  readonly summary: string;
  readonly description: string;
}

const WINDOW = '5m';
const rate5m = (...[name, matchers, part]: [Parameters<typeof rate>[0], Matchers?, ('count' | 'sum')?]) =>
  rate(name, matchers, part === undefined ? { window: WINDOW } : { part, window: WINDOW });
const CALLS = 'rpc.server.call.duration' as const;
const ACTIVE = `on (run) group_left () (${select('lunastream.run.active')} == 1)`;

const calls = sumBy(['service_name'], rate5m(CALLS, {}, 'count'));
const failedCalls = sumBy(['service_name'], rate5m(CALLS, { 'error.type': '!' }, 'count'));
const hits = sumBy([], rate5m('lunastream.chunks.hits'));
const cuts = sumBy([], rate5m('lunastream.chunks.cut'));
const WORKER_CAPACITY = select('lunastream.worker.capacity', { service_name: 'augmentation' });
const predictions = (outcomes: string) =>
  sumBy(['split'], select('lunastream.run.predictions', { outcome: outcomes }));

export const RECORDING_RULES: readonly RecordingRule[] = [
  {
    record: 'lunastream:recall:from_counts',
    expr: `${predictions('tp')} / ${predictions('~tp|fn')}`,
  },
  {
    record: 'lunastream:stall:ratio',
    expr: `${sumBy(['run'], rate5m('lunastream.run.stall.time'))} / (${sumBy(['run'], rate5m('lunastream.run.busy.time'))} > 0)`,
  },
  // Chunks that some tier had, of all: one that is cut was missed by every tier.
  { record: 'lunastream:chunk_hits:ratio', expr: `${hits} / (${hits} + ${cuts} > 0)` },
  // A service without failed calls has no series of them: its share is 0.
  { record: 'lunastream:rpc_errors:ratio', expr: `(${failedCalls} or ${calls} * 0) / (${calls} > 0)` },
  // Trainers that augment by themselves tell their capacity, too: it serves nobody else.
  {
    record: 'lunastream:workers:needed',
    expr: `${sumBy([], select('lunastream.demand'))} / avg(${WORKER_CAPACITY})`,
  },
];

const VAL = { split: 'val' } as const;

export const ALERT_RULES: readonly AlertRule[] = [
  {
    alert: 'RecallFalls',
    signal: `${select('lunastream.epoch.recall', VAL)} / (max_over_time(${select('lunastream.epoch.recall', VAL)}[6h]) > 0) * ${ACTIVE}`,
    condition: '< 0.8',
    for: '0m',
    severity: 'warning',
    summary: 'Recall of {{ $labels.run }} falls',
    description: 'Validation recall is at {{ $value | humanizePercentage }} of the best that the run had.',
  },
  {
    alert: 'RunDegenerate',
    signal: `${select('lunastream.epoch.degenerate', VAL)} * ${ACTIVE}`,
    condition: '> 0',
    for: '0m',
    severity: 'warning',
    summary: '{{ $labels.run }} calls every sample the same',
    description:
      'The model tells nothing apart, whatever its accuracy. Train on balanced samples (--balanced).',
  },
  {
    alert: 'RunDiverged',
    signal: `${sumBy(['run'], select('lunastream.epoch.nonfinite'))}`,
    condition: '> 0',
    for: '0m',
    severity: 'critical',
    summary: '{{ $labels.run }} has diverged',
    description: '{{ $value }} probabilities of the latest epoch are no numbers.',
  },
  {
    alert: 'RunOverfits',
    signal: `${select('lunastream.epoch.overfitting')} * ${ACTIVE}`,
    condition: '> 0',
    for: '0m',
    severity: 'info',
    summary: '{{ $labels.run }} overfits',
    description:
      'The loss on validation nodules rises, that on training nodules does not; its log says which epoch to keep.',
  },
  {
    alert: 'EngineStarves',
    signal: `lunastream:stall:ratio * ${ACTIVE}`,
    condition: '> 0.2',
    for: '10m',
    severity: 'warning',
    summary: '{{ $labels.run }} waits for samples',
    description:
      'The engine waited {{ $value | humanizePercentage }} of the last minutes: more workers, or a nearer cache.',
  },
  {
    alert: 'ChunkCacheFaults',
    signal: `${sumBy(['instance'], rate5m('lunastream.chunks.tier_errors'))} + ${sumBy(['instance'], rate5m('lunastream.chunks.corrupt'))} + ${sumBy(['instance'], rate5m('lunastream.chunks.failures'))}`,
    condition: '> 0',
    for: '1m',
    severity: 'warning',
    summary: 'Faults in chunk cache {{ $labels.instance }}',
    description: 'Tiers fail, stored chunks are damaged, or chunks cannot be served; its log says which.',
  },
  {
    alert: 'WorkerLost',
    signal: `${select('lunastream.supply.workers')} - ${select('lunastream.supply.answering_workers')}`,
    condition: '> 0',
    for: '1m',
    severity: 'warning',
    summary: 'Trainer {{ $labels.instance }} gets no answer from {{ $value }} workers',
    description: 'Runs go on with the others. What the workers last said is in the log of the trainer.',
  },
  {
    alert: 'ServiceFails',
    signal: 'lunastream:rpc_errors:ratio',
    condition: '> 0.05',
    for: '5m',
    severity: 'critical',
    summary: '{{ $labels.service_name }} fails calls',
    description: '{{ $value | humanizePercentage }} of its calls failed by its own fault.',
  },
  {
    alert: 'ServiceDown',
    signal: 'up{job="lunastream"}',
    condition: '< 1',
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.instance }} cannot be scraped',
    description: 'The process ended, or its Prometheus endpoint is not where it was.',
  },
];

/** The expression of an alert. */
export function alertExpression({ signal, condition }: AlertRule): string {
  return `(${signal}) ${condition}`;
}
