import { runService } from '@lunastream/service-kit';
import { settings } from './config.ts';
import { growGpuMemory } from './engine/gpu-memory-growth.ts';
import { createHandlers } from './handlers.ts';
import { openLocalSupply } from './supply/local-supply.ts';
import { RunManager } from './runs/run-manager.ts';
import { RunsTelemetry } from './runs/telemetry.ts';
import { ThreadedEngine } from './engine/threaded-engine.ts';
import { startWorkerSupply } from './supply/worker-supply.ts';

// Before any thread: the engine's shares the environment of the process.
growGpuMemory(process.env);

await runService(
  {
    name: 'trainer',
    title: 'lunastream trainer: plans epochs, leases samples to augmentation workers, trains, keeps runs',
    settings,
    isProtected: true,
    start: async (config, context) => {
      const clock = { now: () => new Date(), nowMs: () => performance.now() };
      const supply =
        config.localDatasets === undefined
          ? await startWorkerSupply(config, context)
          : openLocalSupply(config.localDatasets, config, context);
      const runs = new RunManager({
        runsFolder: config.runsFolder,
        ...supply,
        startEngine: (engineSettings) => ThreadedEngine.start(engineSettings),
        sampleBufferBytes: config.sampleBufferBytes,
        clock,
        observer: new RunsTelemetry(context.telemetry, () => clock.nowMs(), supply.origin),
        logger: context.logger,
      });
      return {
        services: createHandlers(runs, context),
        beforeDrain: () => runs.stopActive(),
        close: () => supply.close(),
      };
    },
  },
  process,
);
