import { lines, stat, type DashboardSpec, type PanelSpec } from './panel.ts';
import { quantile, rate, select, sumBy } from './queries.ts';

const SHARE = { unit: 'percentunit', min: 0, max: 1 } as const;
const COUNT = { unit: 'short', min: 0 } as const;
const BYTES = { unit: 'bytes', min: 0 } as const;

/** Without trainers that augment by themselves. */
const WORKER_CAPACITY = sumBy([], select('lunastream.worker.capacity', { service_name: 'augmentation' }));

const now: readonly PanelSpec[] = [
  stat('Waiting for samples', 'Share of time in which engines wait: exposed data loading.', 'percentunit', {
    expr: 'max(lunastream:stall:ratio)',
    legend: 'stall',
  }),
  stat('Demand', 'Samples per second that all engines would take if they never waited.', 'short', {
    expr: sumBy([], select('lunastream.demand')),
    legend: 'demand',
  }),
  stat('Capacity', 'Samples per second that all workers could transform.', 'short', {
    expr: WORKER_CAPACITY,
    legend: 'capacity',
  }),
  stat('Workers needed', 'Demand by what one worker could give: what autoscaling goes by.', 'short', {
    expr: 'lunastream:workers:needed',
    legend: 'needed',
  }),
  stat('Workers that answer', 'Of those that trainers know.', 'none', {
    expr: sumBy([], select('lunastream.supply.answering_workers')),
    legend: 'workers',
  }),
  stat('Cache hits', 'Share of chunks that some tier had.', 'percentunit', {
    expr: 'lunastream:chunk_hits:ratio',
    legend: 'hits',
  }),
];

const throughput: readonly PanelSpec[] = [
  lines('Samples by worker', 'Received by trainers, per second.', {
    ...COUNT,
    queries: [{ expr: sumBy(['worker'], rate('lunastream.supply.samples')), legend: '{{worker}}' }],
  }),
  lines('Bytes by worker', 'Voxels as they travel, per second.', {
    unit: 'Bps',
    min: 0,
    queries: [{ expr: sumBy(['worker'], rate('lunastream.supply.received')), legend: '{{worker}}' }],
  }),
  lines(
    'Waiting for samples',
    'Share of the time of passes, by run: above a few percent the engine starves.',
    {
      ...SHARE,
      queries: [{ expr: 'lunastream:stall:ratio', legend: '{{run}}' }],
    },
  ),
  lines('A step of the engine', 'Computing alone.', {
    unit: 's',
    min: 0,
    queries: [
      { expr: quantile(0.5, 'lunastream.step.duration', { by: ['split'] }), legend: 'median {{split}}' },
      { expr: quantile(0.99, 'lunastream.step.duration', { by: ['split'] }), legend: '99 % {{split}}' },
    ],
  }),
  lines('Demand and capacity', 'Samples per second: where demand is above capacity, workers are too few.', {
    ...COUNT,
    queries: [
      { expr: sumBy([], select('lunastream.demand')), legend: 'demand' },
      { expr: WORKER_CAPACITY, legend: 'capacity' },
    ],
  }),
  lines(
    'Samples made',
    'By process, per second; and those that could not be made. Trainers that augment by themselves are among them.',
    {
      ...COUNT,
      queries: [
        { expr: sumBy(['instance'], rate('lunastream.worker.samples')), legend: '{{instance}}' },
        { expr: sumBy(['instance'], rate('lunastream.worker.failures')), legend: '{{instance}} failed' },
      ],
    },
  ),
];

const leases: readonly PanelSpec[] = [
  lines('Leases under way', 'By worker.', {
    ...COUNT,
    queries: [{ expr: select('lunastream.supply.outstanding_leases'), legend: '{{worker}}' }],
  }),
  lines('Leases', 'Given out and broken, per second, by worker.', {
    ...COUNT,
    queries: [
      { expr: sumBy(['worker'], rate('lunastream.supply.leases')), legend: '{{worker}}' },
      { expr: sumBy(['worker'], rate('lunastream.supply.broken_leases')), legend: '{{worker}} broken' },
    ],
  }),
  lines(
    'Second attempts',
    'Samples leased again, slow leases hedged, samples that came twice, wrong samples.',
    {
      ...COUNT,
      queries: [
        { expr: sumBy([], rate('lunastream.supply.retries')), legend: 'leased again' },
        { expr: sumBy([], rate('lunastream.supply.hedges')), legend: 'hedged' },
        { expr: sumBy([], rate('lunastream.supply.duplicates')), legend: 'came twice' },
        { expr: sumBy([], rate('lunastream.supply.wrong')), legend: 'wrong' },
      ],
    },
  ),
  lines('Workers', 'Known to trainers, and answering.', {
    ...COUNT,
    queries: [
      { expr: sumBy([], select('lunastream.supply.workers')), legend: 'known' },
      { expr: sumBy([], select('lunastream.supply.answering_workers')), legend: 'answering' },
    ],
  }),
];

const queues: readonly PanelSpec[] = [
  lines(
    'Trainer: places without a sample',
    'Bytes that the trainer could take now, beside all that it has room for.',
    {
      ...BYTES,
      queries: [
        { expr: select('lunastream.supply.awaited'), legend: '{{instance}} awaited' },
        { expr: select('lunastream.supply.buffer_limit'), legend: '{{instance}} limit' },
      ],
    },
  ),
  lines('Chunks before transforms', 'Bytes handed to threads.', {
    ...BYTES,
    queries: [{ expr: select('lunastream.worker.queued'), legend: '{{instance}}' }],
  }),
  lines('Transform of a sample', 'Time of a thread.', {
    unit: 's',
    min: 0,
    queries: [
      { expr: quantile(0.5, 'lunastream.worker.transform.duration'), legend: 'median' },
      { expr: quantile(0.99, 'lunastream.worker.transform.duration'), legend: '99 %' },
    ],
  }),
  lines('Voxels that repeat the border', 'Share of what is made.', {
    ...SHARE,
    queries: [
      {
        expr: `${sumBy([], rate('lunastream.worker.border_voxels'))} / ${sumBy([], rate('lunastream.worker.voxels'))}`,
        legend: 'border',
      },
    ],
  }),
  lines('Threads', 'That transform samples.', {
    ...COUNT,
    queries: [{ expr: select('lunastream.worker.threads'), legend: '{{instance}}' }],
  }),
];

const cache: readonly PanelSpec[] = [
  lines('Hits by tier', 'Chunks per second, nearest tier first.', {
    ...COUNT,
    queries: [{ expr: sumBy(['tier'], rate('lunastream.chunks.hits')), legend: '{{tier}}' }],
  }),
  lines('Misses by tier, and cuts', 'A chunk that no tier has is cut from its scan.', {
    ...COUNT,
    queries: [
      { expr: sumBy(['tier'], rate('lunastream.chunks.misses')), legend: '{{tier}}' },
      { expr: sumBy([], rate('lunastream.chunks.cut')), legend: 'cut' },
    ],
  }),
  lines('Size of tiers', 'Bytes of voxels, and their limits.', {
    ...BYTES,
    queries: [
      { expr: sumBy(['tier'], select('lunastream.chunks.size')), legend: '{{tier}}' },
      { expr: sumBy(['tier'], select('lunastream.chunks.limit')), legend: '{{tier}} limit' },
    ],
  }),
  lines('Chunks in tiers', 'And dropped to make room, per second.', {
    ...COUNT,
    queries: [
      { expr: sumBy(['tier'], select('lunastream.chunks.entries')), legend: '{{tier}}' },
      { expr: sumBy(['tier'], rate('lunastream.chunks.evictions')), legend: '{{tier}} evicted' },
    ],
  }),
  lines('Bytes served', 'Voxels per second.', {
    unit: 'Bps',
    min: 0,
    queries: [{ expr: sumBy(['instance'], rate('lunastream.chunks.served')), legend: '{{instance}}' }],
  }),
  lines('Faults', 'Chunks that could not be served or did not match their checksum, tiers that failed.', {
    ...COUNT,
    queries: [
      { expr: sumBy([], rate('lunastream.chunks.failures')), legend: 'not served' },
      { expr: sumBy(['tier'], rate('lunastream.chunks.corrupt')), legend: '{{tier}} corrupt' },
      { expr: sumBy(['tier'], rate('lunastream.chunks.tier_errors')), legend: '{{tier}} failed' },
    ],
  }),
];

/** How samples get to the engine. */
export const DATA_PLANE: DashboardSpec = {
  uid: 'lunastream-data-plane',
  title: 'Data plane',
  description: 'Whether samples come as fast as the engine takes them, and where they wait if not.',
  choosesRuns: false,
  rows: [
    { title: 'Now', panels: now },
    { title: 'Throughput', panels: throughput },
    { title: 'Leases', panels: leases },
    { title: 'Queues', panels: queues },
    { title: 'Chunk cache', panels: cache },
  ],
  annotations: [
    { name: 'Alerts', signal: 'ALERTS', condition: '== 1', title: '{{alertname}}', color: 'red' },
  ],
};
