import { openChunkSource } from '@lunastream/chunk-source';
import { runService } from '@lunastream/service-kit';
import { settings } from './config.ts';
import { createHandlers } from './handlers.ts';
import { ServedCounts } from './served-counts.ts';
import { observeChunkCache } from './telemetry.ts';

await runService(
  {
    name: 'chunk-cache',
    title: 'lunastream chunk-cache: cuts chunks from CT scans, keeps them, streams them',
    settings,
    start: (config, context) => {
      const source = openChunkSource(config, {
        onDatasetRead: (dataset, { fingerprint, series, candidates }) =>
          context.logger.info(
            { dataset, fingerprint, series: series.size, candidates: candidates.length },
            `data set ${dataset} read`,
          ),
        onTierError: (tier, error) =>
          context.logger.error(
            { err: error, tier },
            `tier ${tier} fails; serving without it, which is said once`,
          ),
        onTierRecovered: (tier) => context.logger.info({ tier }, `tier ${tier} works again`),
      });
      const served = new ServedCounts();
      observeChunkCache(context.telemetry, source, served);
      return Promise.resolve({
        services: createHandlers(source, context, { aheadLimitBytes: config.aheadLimitBytes, served }),
        close: () => source.close(),
      });
    },
  },
  process,
);
