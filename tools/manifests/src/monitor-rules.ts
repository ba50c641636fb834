import {
  containersOf,
  matches,
  specsOf,
  workloadsOf,
  type Labels,
  type Manifest,
  type Selector,
  type Workload,
} from './manifest.ts';
import type { Rule } from './pod-rules.ts';

interface MonitorSpec {
  readonly selector: Selector;
  readonly jobLabel?: string;
  readonly endpoints?: readonly { readonly port?: string }[];
  readonly podMetricsEndpoints?: readonly { readonly port?: string }[];
}
interface PolicySpec {
  readonly podSelector: Selector;
  readonly ingress?: readonly {
    readonly from?: readonly { readonly namespaceSelector?: unknown }[];
    readonly ports?: readonly { readonly port?: number | string }[];
  }[];
}

const METRICS = 'metrics';
/** The job that alerts ask for: `up{job="lunastream"}` (tools/dashboards/src/rules.ts). */
const JOB = 'lunastream';

interface Scrape {
  readonly workload: Workload;
  readonly monitor: string;
  /** What the series get as their job. */
  readonly job: string | undefined;
}

const hasMetrics = (workload: Workload) =>
  containersOf(workload).some(({ ports = [] }) => ports.some(({ name }) => name === METRICS));

function scrapesOf(manifests: readonly Manifest[]): Scrape[] {
  const workloads = workloadsOf(manifests).filter(hasMetrics);
  const services = specsOf<{ selector: Labels }>(manifests, 'Service');
  const throughServices = specsOf<MonitorSpec>(manifests, 'ServiceMonitor')
    .filter(({ spec }) => spec.endpoints?.some(({ port }) => port === METRICS))
    .flatMap(({ name, spec }) =>
      services
        .filter(({ labels }) => matches(spec.selector, labels))
        .flatMap((service) =>
          workloads
            .filter(({ labels }) => matches({ matchLabels: service.spec.selector }, labels))
            .map((workload) => ({ workload, monitor: name, job: service.labels[spec.jobLabel ?? ''] })),
        ),
    );
  const ofPods = specsOf<MonitorSpec>(manifests, 'PodMonitor')
    .filter(({ spec }) => spec.podMetricsEndpoints?.some(({ port }) => port === METRICS))
    .flatMap(({ name, spec }) =>
      workloads
        .filter(({ labels }) => matches(spec.selector, labels))
        .map((workload) => ({ workload, monitor: name, job: workload.labels[spec.jobLabel ?? ''] })),
    );
  return [...throughServices, ...ofPods];
}

/** Where there are monitors, each workload with metrics is scraped once, under the job that alerts ask for, and may be. */
export const monitorRule: Rule = (manifests) => {
  if (!manifests.some(({ kind }) => kind === 'ServiceMonitor')) return [];
  const scrapes = scrapesOf(manifests);
  const policies = specsOf<PolicySpec>(manifests, 'NetworkPolicy');
  const mayBeScraped = ({ labels }: Workload) =>
    policies.some(
      ({ spec }) =>
        matches(spec.podSelector, labels) &&
        (spec.ingress ?? []).some(
          ({ from = [], ports = [] }) =>
            from.some(({ namespaceSelector }) => namespaceSelector !== undefined) &&
            ports.some(({ port }) => port === METRICS),
        ),
    );
  return workloadsOf(manifests)
    .filter(hasMetrics)
    .flatMap((workload) => {
      const own = scrapes.filter((scrape) => scrape.workload.name === workload.name);
      const jobs = own.map(({ job }) => job ?? 'none');
      return [
        ...(own.length === 1 ? [] : [`must be scraped by one monitor, got ${own.length}`]),
        ...jobs.filter((job) => job !== JOB).map((job) => `must be scraped as job ${JOB}, got ${job}`),
        ...(mayBeScraped(workload) ? [] : ['must be open to Prometheus, no NetworkPolicy allows it']),
      ].map((fault) => `${workload.kind} ${workload.name}: ${fault}`);
    });
};

/** Where Grafana's sidecar finds ConfigMaps, they hold every dashboard, as it was generated, and no other. */
export const dashboardRule: Rule = (manifests, { dashboards }) => {
  const maps = manifests.filter(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1');
  if (maps.length === 0) return [];
  const given = Object.fromEntries(maps.flatMap(({ data }) => Object.entries(data ?? {})));
  return [...new Set([...Object.keys(dashboards), ...Object.keys(given)])]
    .filter((name) => given[name] !== dashboards[name])
    .map((name) => `dashboard ${name} must be in a ConfigMap for Grafana as it was generated`);
};

/** A policy that is about no pod protects nothing, and opens nothing. */
export const policyTargetRule: Rule = (manifests) =>
  specsOf<PolicySpec>(manifests, 'NetworkPolicy')
    .filter(({ spec }) => !workloadsOf(manifests).some(({ labels }) => matches(spec.podSelector, labels)))
    .map(({ name }) => `NetworkPolicy ${name} must select a workload`);
