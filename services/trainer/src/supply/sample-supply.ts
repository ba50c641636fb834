import type { TrainerSupply } from '@lunastream/telemetry';
import type { TrainingDataset } from '../dataset-client.ts';
import type { SampleSource } from './sample-source.ts';

/** Where a trainer's data sets and samples come from: chunk cache and workers, or this process alone. */
export interface SampleSupply {
  readonly origin: TrainerSupply;
  /**
   * Reads a data set. Rejects with an UnusableDatasetError, DatasetFaultError, or a ServiceError when it comes over the
   * wire; with the signal's reason when it aborts.
   */
  readonly readDataset: (name: string, signal: AbortSignal) => Promise<TrainingDataset>;
  readonly samples: SampleSource;
  /** Workers that samples come from now; one when this process makes them. */
  readonly workerCount: () => number;
  close(): Promise<void>;
}
