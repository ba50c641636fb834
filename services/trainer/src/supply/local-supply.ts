import { openChunkSource, type DatasetLocation } from '@lunastream/chunk-source';
import { describeProblems, type Dataset } from '@lunastream/dataset';
import type { ConfigOf, ServiceContext } from '@lunastream/service-kit';
import { SharedBuffers, TransformPool } from '@lunastream/transform-pool';
import type { settings } from '../config.ts';
import type { TrainingDataset } from '../dataset-client.ts';
import { LocalSampleSource } from './local-sample-source.ts';
import type { SampleSupply } from './sample-supply.ts';
import { observeLocalSupply } from './supply-telemetry.ts';

/** Chunks on their way to the threads: 32 of 32×48×48 with margin. */
const IDLE_CHUNK_BYTES = 32 * 2 ** 20;
/** As many as the chunk cache tells. */
const MAX_PROBLEMS = 20;

/** Data sets and samples of this process alone: no cache, no workers, and the same bytes. */
export function openLocalSupply(
  datasets: readonly DatasetLocation[],
  config: ConfigOf<typeof settings>,
  { logger, telemetry }: ServiceContext,
): SampleSupply {
  const chunks = openChunkSource(
    {
      datasets,
      storeFolder: config.localStoreFolder,
      copyFolder: config.localCopyFolder,
      memoryLimitBytes: config.localMemoryLimitBytes,
      storeLimitBytes: config.localStoreLimitBytes,
      volumeLimitBytes: config.localVolumeLimitBytes,
    },
    {
      onDatasetRead: (dataset, { fingerprint }) =>
        logger.info({ dataset, fingerprint }, `data set ${dataset} read`),
      onTierError: (tier, error) =>
        logger.error({ err: error, tier }, `tier ${tier} fails; going on without it`),
      onTierRecovered: (tier) => logger.info({ tier }, `tier ${tier} works again`),
    },
  );
  const maker = new TransformPool({ threads: config.localThreads });
  const buffers = new SharedBuffers({ limitBytes: IDLE_CHUNK_BYTES });
  const samples = new LocalSampleSource({ chunks, maker, buffers });
  const { counts, made } = samples;
  observeLocalSupply(telemetry, { counts, made, chunks, threads: maker.threadCount, ...config });
  return {
    origin: 'local',
    readDataset: async (name) => toTrainingDataset(name, await chunks.getDataset(name)),
    samples,
    workerCount: () => 1,
    close: async () => {
      await samples.settled();
      await maker.close();
      await chunks.close();
    },
  };
}

function toTrainingDataset(name: string, dataset: Dataset): TrainingDataset {
  const { fingerprint, candidates, series, counts } = dataset;
  return {
    name,
    fingerprint,
    candidates,
    seriesCount: series.size,
    leftOut: {
      missingScan: counts.missingScan,
      outsideScan: counts.outsideScan,
      badScan: counts.badHeader,
    },
    problems: describeProblems(dataset).slice(0, MAX_PROBLEMS),
  };
}
