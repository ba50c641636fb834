import { lines, type DashboardSpec, type PanelSpec } from './panel.ts';
import { rate, select, sumBy } from './queries.ts';

const CALLS = 'rpc.server.call.duration' as const;
const METHOD = '{{service_name}} {{rpc_method}}';

function callQuantile(q: number): string {
  const buckets = sumBy(['service_name', 'rpc.method'], rate(CALLS, {}, { part: 'bucket' }));
  return `histogram_quantile(${q}, ${buckets.replace(') (', ', le) (')})`;
}

const calls: readonly PanelSpec[] = [
  lines('Calls', 'Ended per second.', {
    unit: 'reqps',
    min: 0,
    queries: [
      { expr: sumBy(['service_name', 'rpc.method'], rate(CALLS, {}, { part: 'count' })), legend: METHOD },
    ],
  }),
  lines('Calls by status', 'Of all services.', {
    unit: 'reqps',
    min: 0,
    queries: [
      {
        expr: sumBy(['service_name', 'rpc.response.status_code'], rate(CALLS, {}, { part: 'count' })),
        legend: '{{service_name}} {{rpc_response_status_code}}',
      },
    ],
  }),
  lines('Failed calls', 'Share of calls that failed by the fault of the service; refusals are none.', {
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [{ expr: 'lunastream:rpc_errors:ratio', legend: '{{service_name}}' }],
  }),
  lines('Duration, median', 'A stream lasts as long as its client reads.', {
    unit: 's',
    min: 0,
    queries: [{ expr: callQuantile(0.5), legend: METHOD }],
  }),
  lines('Duration, 99th percentile', 'A stream lasts as long as its client reads.', {
    unit: 's',
    min: 0,
    queries: [{ expr: callQuantile(0.99), legend: METHOD }],
  }),
  lines('Calls under way', 'By method; LUNASTREAM_MAX_CALLS is the limit of a process.', {
    unit: 'short',
    min: 0,
    queries: [
      { expr: sumBy(['service_name', 'rpc.method'], select('lunastream.calls.active')), legend: METHOD },
    ],
  }),
];

const saturation: readonly PanelSpec[] = [
  lines('Processors', 'Cores that a process keeps busy.', {
    unit: 'short',
    min: 0,
    queries: [
      {
        expr: sumBy(['service_name', 'instance'], rate('process.cpu.time')),
        legend: '{{service_name}} {{instance}}',
      },
    ],
  }),
  lines('Memory', 'Resident set.', {
    unit: 'bytes',
    min: 0,
    queries: [{ expr: select('process.memory.usage'), legend: '{{service_name}} {{instance}}' }],
  }),
  lines('Event loop delay', 'How late a service answers at best.', {
    unit: 's',
    min: 0,
    queries: [
      { expr: select('nodejs.eventloop.delay.p50'), legend: '{{service_name}} {{instance}} median' },
      { expr: select('nodejs.eventloop.delay.p99'), legend: '{{service_name}} {{instance}} 99 %' },
    ],
  }),
  lines('Longest event loop delay', 'Since the service answers.', {
    unit: 's',
    min: 0,
    queries: [{ expr: select('nodejs.eventloop.delay.max'), legend: '{{service_name}} {{instance}}' }],
  }),
  {
    ...lines('Processes', 'What runs where.', {
      unit: 'short',
      width: 24,
      queries: [
        { expr: 'sum by (service_name, service_version, instance) (target_info)', legend: 'processes' },
      ],
    }),
    kind: 'table',
  },
];

/** Rates, errors, durations and saturation. */
export const SERVICES: DashboardSpec = {
  uid: 'lunastream-services',
  title: 'Services',
  description: 'What every service answers, how long it takes, what fails, and what it takes of its machine.',
  choosesRuns: false,
  rows: [
    { title: 'Calls', panels: calls },
    { title: 'Saturation', panels: saturation },
  ],
  annotations: [
    { name: 'Alerts', signal: 'ALERTS', condition: '== 1', title: '{{alertname}}', color: 'red' },
  ],
};
