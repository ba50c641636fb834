/**
 * Every instrument of lunastream: the one place that code, documents, dashboards and alerts take names from.
 *
 * Counts travel, ratios are derived: confusion counts add up over runs and pods, an F-score does not. Whatever is known
 * once per epoch is a gauge, the epoch among them: as an attribute it would make a new series each time.
 */
import { ATTRIBUTES, type AttributeName } from './attributes.ts';

/**
 * `counter` only rises and is read as a rate; `gauge` is the value now, `updowncounter` one that adds up over processes;
 * `histogram` is how values are spread.
 */
export type InstrumentKind = 'counter' | 'updowncounter' | 'gauge' | 'histogram';

/** Services by the name under which they report, resource attribute `service.name`. */
export type ReportingService = 'chunk-cache' | 'augmentation' | 'trainer';

/** Where a trainer's samples come from: augmentation workers, or itself (`--local-augment`). */
export type TrainerSupply = 'workers' | 'local';

export interface InstrumentDefinition {
  readonly kind: InstrumentKind;
  /** Unit in UCUM: `s`, `By`, `1` for shares in 0..1; in braces what is counted, `{sample}`. */
  readonly unit: string;
  readonly attributes: readonly AttributeName[];
  readonly services: readonly ReportingService[];
  /** The supply with which a trainer tells it; with either unless given. */
  readonly trainerSupply?: TrainerSupply;
  /** Told only where a GPU computes. */
  readonly needsGpu?: true;
  readonly meaning: string;
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly boundaries?: readonly number[];
}

const EVERY_SERVICE = ['chunk-cache', 'augmentation', 'trainer'] as const;
const CACHE = ['chunk-cache'] as const;
const TRAINER = ['trainer'] as const;
const WITH_WORKERS = { services: TRAINER, trainerSupply: 'workers' } as const;
/** A trainer that augments by itself does what workers and caches do. */
const MAKERS = { services: ['augmentation', 'trainer'], trainerSupply: 'local' } as const;
const CUTTERS = { services: ['chunk-cache', 'trainer'], trainerSupply: 'local' } as const;
/** Workers keep raw chunks too, in a tier of their own. */
const KEEPERS = { services: EVERY_SERVICE, trainerSupply: 'local' } as const;

/** Of the semantic conventions for RPC: https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/ */
const RPC_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
/** A step takes 5 ms for a small batch on a GPU and minutes for a large one on a core. */
const STEP_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
/** A sample of 32×48×48 takes 0.2 ms, one of 128³ 10 ms, one with elastic deformation more. */
const TRANSFORM_BOUNDARIES = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
] as const;

export const INSTRUMENTS = {
  // A run and its epochs.
  'lunastream.run.active': {
    kind: 'gauge', unit: '{run}', attributes: ['run'], services: TRAINER,
    meaning: '1 while the run trains, 0 once it has ended',
  },
  'lunastream.run.epoch': {
    kind: 'gauge', unit: '{epoch}', attributes: ['run'], services: TRAINER,
    meaning: 'Latest epoch that is done',
  },
  'lunastream.run.best_epoch': {
    kind: 'gauge', unit: '{epoch}', attributes: ['run'], services: TRAINER,
    meaning: 'Epoch of the best checkpoint; absent while there is none',
  },
  'lunastream.run.samples': {
    kind: 'counter', unit: '{sample}', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Samples that the engine has computed, batch by batch',
  },
  'lunastream.run.predictions': {
    kind: 'counter', unit: '{sample}', attributes: ['run', 'split', 'outcome'], services: TRAINER,
    meaning: 'Predictions by outcome, added up over epochs; scores of several runs or pods come from their sums',
  },
  'lunastream.run.busy.time': {
    kind: 'counter', unit: 's', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Time spent in passes over the samples',
  },
  'lunastream.run.stall.time': {
    kind: 'counter', unit: 's', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Part of the busy time in which the engine waited for samples: exposed data loading',
  },
  'lunastream.epoch.predictions': {
    kind: 'gauge', unit: '{sample}', attributes: ['run', 'split', 'outcome'], services: TRAINER,
    meaning: 'Confusion matrix of the latest epoch',
  },
  'lunastream.epoch.nonfinite': {
    kind: 'gauge', unit: '{sample}', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Samples of the latest epoch whose probability is NaN or infinite; they are in no score',
  },
  'lunastream.epoch.loss': {
    kind: 'gauge', unit: '{nat}', attributes: ['run', 'split', 'class'], services: TRAINER,
    meaning: 'Mean cross entropy of the latest epoch',
  },
  'lunastream.epoch.accuracy': {
    kind: 'gauge', unit: '1', attributes: ['run', 'split', 'class'], services: TRAINER,
    meaning: 'Share of correct predictions in the latest epoch; at 400:1 the one of `all` says nothing',
  },
  'lunastream.epoch.recall': {
    kind: 'gauge', unit: '1', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Share of nodules found in the latest epoch; absent without nodules',
  },
  'lunastream.epoch.precision': {
    kind: 'gauge', unit: '1', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Share of positive calls that are nodules in the latest epoch; absent without positive calls',
  },
  'lunastream.epoch.f_score': {
    kind: 'gauge', unit: '1', attributes: ['run', 'split', 'beta'], services: TRAINER,
    meaning: 'F-score of the latest epoch, from counts: 0 when nothing was found, absent when TP + FP + FN = 0',
  },
  'lunastream.epoch.roc_auc': {
    kind: 'gauge', unit: '1', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Area under the ROC curve of the latest epoch; absent without both classes',
  },
  'lunastream.epoch.pr_auc': {
    kind: 'gauge', unit: '1', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Average precision of the latest epoch; absent without both classes',
  },
  'lunastream.epoch.duration': {
    kind: 'gauge', unit: 's', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Time that the latest pass took',
  },
  'lunastream.epoch.throughput': {
    kind: 'gauge', unit: '{sample}/s', attributes: ['run', 'split'], services: TRAINER,
    meaning: 'Samples per second of the latest pass',
  },
  'lunastream.epoch.border_voxels': {
    kind: 'gauge', unit: '1', attributes: ['run'], services: TRAINER,
    meaning: 'Share of the training voxels of the latest epoch that repeat the border of their chunk',
  },
  'lunastream.epoch.degenerate': {
    kind: 'gauge', unit: '{epoch}', attributes: ['run', 'split'], services: TRAINER,
    meaning: '1 when the model called every sample of the latest epoch the same, 0 otherwise',
  },
  'lunastream.epoch.overfitting': {
    kind: 'gauge', unit: '{epoch}', attributes: ['run'], services: TRAINER,
    meaning: '1 when the latest epoch warned of overfitting (docs/overfitting.md), 0 otherwise',
  },
  'lunastream.step.duration': {
    kind: 'histogram', unit: 's', attributes: ['split'], services: TRAINER, boundaries: STEP_BOUNDARIES,
    meaning: 'Time of the engine for one batch, waiting excluded',
  },
  'lunastream.engine.memory': {
    kind: 'gauge', unit: 'By', attributes: ['run', 'device'], services: TRAINER,
    meaning: 'What the engine holds of the memory that it computes in, after the latest epoch: model, optimizer, buffers',
  },
  'lunastream.engine.device_memory': {
    kind: 'gauge', unit: 'By', attributes: ['run', 'device'], services: TRAINER, needsGpu: true,
    meaning: 'Memory of the GPU that computes; absent on a CPU, or where its driver does not tell',
  },
  'lunastream.demand': {
    kind: 'gauge', unit: '{sample}/s', attributes: [], ...WITH_WORKERS,
    meaning: 'Samples per second of workers that the engine would take if it never waited; absent while no run is active',
  },

  // How samples come to the trainer.
  'lunastream.supply.samples': {
    kind: 'counter', unit: '{sample}', attributes: ['worker'], services: TRAINER,
    meaning: 'Samples that are in their place',
  },
  'lunastream.supply.received': {
    kind: 'counter', unit: 'By', attributes: ['worker'], ...WITH_WORKERS,
    meaning: 'Bytes of voxels received',
  },
  'lunastream.supply.leases': {
    kind: 'counter', unit: '{lease}', attributes: ['worker'], ...WITH_WORKERS,
    meaning: 'Leases given out',
  },
  'lunastream.supply.outstanding_leases': {
    kind: 'gauge', unit: '{lease}', attributes: ['worker'], ...WITH_WORKERS,
    meaning: 'Leases that are not complete yet',
  },
  'lunastream.supply.broken_leases': {
    kind: 'counter', unit: '{lease}', attributes: ['worker'], ...WITH_WORKERS,
    meaning: 'Leases that broke before their end',
  },
  'lunastream.supply.retries': {
    kind: 'counter', unit: '{sample}', attributes: [], ...WITH_WORKERS,
    meaning: 'Samples leased again because their lease broke',
  },
  'lunastream.supply.hedges': {
    kind: 'counter', unit: '{lease}', attributes: [], ...WITH_WORKERS,
    meaning: 'Leases given out a second time because the first was slow',
  },
  'lunastream.supply.duplicates': {
    kind: 'counter', unit: '{sample}', attributes: [], ...WITH_WORKERS,
    meaning: 'Samples that came a second time and were dropped',
  },
  'lunastream.supply.wrong': {
    kind: 'counter', unit: '{sample}', attributes: [], ...WITH_WORKERS,
    meaning: 'Samples that were wrong; their worker was quarantined',
  },
  'lunastream.supply.awaited': {
    kind: 'gauge', unit: 'By', attributes: [], services: TRAINER,
    meaning: 'Samples that the trainer could take now: places in batches that are not filled yet',
  },
  'lunastream.supply.buffer_limit': {
    kind: 'gauge', unit: 'By', attributes: [], services: TRAINER,
    meaning: 'Most bytes of samples asked for ahead of the engine',
  },
  'lunastream.supply.workers': {
    kind: 'gauge', unit: '{worker}', attributes: [], ...WITH_WORKERS,
    meaning: 'Augmentation workers that the trainer knows',
  },
  'lunastream.supply.answering_workers': {
    kind: 'gauge', unit: '{worker}', attributes: [], ...WITH_WORKERS,
    meaning: 'Those of them that answered when last asked',
  },

  // Making samples.
  'lunastream.worker.samples': {
    kind: 'counter', unit: '{sample}', attributes: [], ...MAKERS,
    meaning: 'Samples made',
  },
  'lunastream.worker.failures': {
    kind: 'counter', unit: '{sample}', attributes: [], ...MAKERS,
    meaning: 'Samples that could not be made: their chunk failed, or a thread did',
  },
  'lunastream.worker.voxels': {
    kind: 'counter', unit: '{voxel}', attributes: [], ...MAKERS,
    meaning: 'Voxels of the samples made',
  },
  'lunastream.worker.border_voxels': {
    kind: 'counter', unit: '{voxel}', attributes: [], ...MAKERS,
    meaning: 'Those of them that repeat the border of their chunk',
  },
  'lunastream.worker.transform.duration': {
    kind: 'histogram', unit: 's', attributes: [], ...MAKERS, boundaries: TRANSFORM_BOUNDARIES,
    meaning: 'Time that a thread took to transform a sample',
  },
  'lunastream.worker.queued': {
    kind: 'gauge', unit: 'By', attributes: [], ...MAKERS,
    meaning: 'Chunks handed to the threads and not transformed yet',
  },
  'lunastream.worker.threads': {
    kind: 'gauge', unit: '{thread}', attributes: [], ...MAKERS,
    meaning: 'Threads that transform samples',
  },
  'lunastream.worker.capacity': {
    kind: 'gauge', unit: '{sample}/s', attributes: [], ...MAKERS,
    meaning: 'Samples per second that the threads could transform, from what the latest took; absent before the first',
  },

  // Chunks.
  'lunastream.chunks.hits': {
    kind: 'counter', unit: '{chunk}', attributes: ['tier'], ...KEEPERS,
    meaning: 'Chunks that the tier had',
  },
  'lunastream.chunks.misses': {
    kind: 'counter', unit: '{chunk}', attributes: ['tier'], ...KEEPERS,
    meaning: 'Chunks that the tier was asked for and did not have',
  },
  'lunastream.chunks.entries': {
    kind: 'gauge', unit: '{chunk}', attributes: ['tier'], ...KEEPERS,
    meaning: 'Chunks that the tier holds',
  },
  'lunastream.chunks.size': {
    kind: 'gauge', unit: 'By', attributes: ['tier'], ...KEEPERS,
    meaning: 'Bytes of voxels that the tier holds',
  },
  'lunastream.chunks.limit': {
    kind: 'gauge', unit: 'By', attributes: ['tier'], ...KEEPERS,
    meaning: 'Most bytes of voxels that the tier may hold',
  },
  'lunastream.chunks.evictions': {
    kind: 'counter', unit: '{chunk}', attributes: ['tier'], ...KEEPERS,
    meaning: 'Chunks dropped to make room',
  },
  'lunastream.chunks.corrupt': {
    kind: 'counter', unit: '{chunk}', attributes: ['tier'], ...CUTTERS,
    meaning: 'Stored chunks whose checksum did not match; none was served',
  },
  'lunastream.chunks.tier_errors': {
    kind: 'counter', unit: '{error}', attributes: ['tier'], ...CUTTERS,
    meaning: 'Times that a tier failed and the next one was asked',
  },
  'lunastream.chunks.cut': {
    kind: 'counter', unit: '{chunk}', attributes: [], ...CUTTERS,
    meaning: 'Chunks cut from their scans because no tier had them',
  },
  'lunastream.chunks.failures': {
    kind: 'counter', unit: '{chunk}', attributes: [], ...CUTTERS,
    meaning: 'Chunks that could not be served: unknown scan, centre outside, damaged file',
  },
  'lunastream.chunks.served': {
    kind: 'counter', unit: 'By', attributes: [], services: CACHE,
    meaning: 'Bytes of voxels served',
  },

  // Every service.
  'rpc.server.call.duration': {
    kind: 'histogram', unit: 's', services: EVERY_SERVICE, boundaries: RPC_BOUNDARIES,
    attributes: ['rpc.system.name', 'rpc.method', 'rpc.response.status_code', 'error.type'],
    meaning: 'Time from the arrival of a call to its end; of a stream that is as long as its client reads',
  },
  'lunastream.calls.active': {
    kind: 'gauge', unit: '{call}', attributes: ['rpc.method'], services: EVERY_SERVICE,
    meaning: 'Calls under way',
  },
  'process.memory.usage': {
    kind: 'updowncounter', unit: 'By', attributes: [], services: EVERY_SERVICE,
    meaning: 'Resident set of the process',
  },
  'process.cpu.time': {
    kind: 'counter', unit: 's', attributes: ['cpu.mode'], services: EVERY_SERVICE,
    meaning: 'Processor time of all threads',
  },
  'nodejs.eventloop.delay.p50': {
    kind: 'gauge', unit: 's', attributes: [], services: EVERY_SERVICE,
    meaning: 'Median delay of the event loop of the main thread, since the service answers',
  },
  'nodejs.eventloop.delay.p99': {
    kind: 'gauge', unit: 's', attributes: [], services: EVERY_SERVICE,
    meaning: '99th percentile of that delay',
  },
  'nodejs.eventloop.delay.max': {
    kind: 'gauge', unit: 's', attributes: [], services: EVERY_SERVICE,
    meaning: 'Longest delay',
  },
} as const satisfies Record<string, InstrumentDefinition>; // prettier-ignore

export type InstrumentName = keyof typeof INSTRUMENTS;

/** Instruments that have `kind`. */
type NamesOf<Kind extends InstrumentKind> = {
  [Name in InstrumentName]: (typeof INSTRUMENTS)[Name]['kind'] extends Kind ? Name : never;
}[InstrumentName];
export type HistogramName = NamesOf<'histogram'>;
/** Instruments that are read when metrics are collected. */
export type ObservedName = NamesOf<'counter' | 'updowncounter' | 'gauge'>;

/** The definition of `name`. */
export function instrument(name: InstrumentName): InstrumentDefinition {
  return INSTRUMENTS[name];
}

/** Whether `service` tells `name`; a trainer whose samples come from `supply`. */
export function isToldBy(name: InstrumentName, service: ReportingService, supply: TrainerSupply): boolean {
  const { services, trainerSupply = supply } = instrument(name);
  return services.includes(service) && (service !== 'trainer' || trainerSupply === supply);
}

/** Most series that one process reports of `name`: the bounds of its attributes multiplied, 2000 at most. */
export function seriesLimit(name: InstrumentName): number {
  const product = instrument(name).attributes.reduce((series, one) => series * ATTRIBUTES[one].limit, 1);
  return Math.min(product, 2000);
}
