import type { DemandStep } from './simulate.ts';
import type { WorkerModel } from './worker-fleet.ts';

/** A course of demand to scale by. */
export interface Scenario {
  readonly name: string;
  readonly steps: readonly DemandStep[];
  readonly durationSeconds: number;
}

/**
 * One worker of two cores gives some 1,350 samples per second (npm run bench -- worker), 10 % more or less from second to
 * second. A pod answers 20 s after it was asked for where its image is there, and is found within 2 s.
 */
export const WORKER: WorkerModel = { throughput: 1350, noise: 0.1, startSeconds: 22 };

/** A run on the CPU engine takes 135 samples per second (npm run bench -- training); on a GPU we assume 5,000. */
export const GPU_RUN_DEMAND = 5000;

const MINUTE = 60;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'one run starts',
    steps: [{ second: 60, demand: GPU_RUN_DEMAND }],
    durationSeconds: 20 * MINUTE,
  },
  {
    name: 'eight runs start together',
    steps: [{ second: 60, demand: 8 * GPU_RUN_DEMAND }],
    durationSeconds: 20 * MINUTE,
  },
  {
    name: 'runs come and go',
    steps: [
      { second: 60, demand: GPU_RUN_DEMAND },
      { second: 10 * MINUTE, demand: 6 * GPU_RUN_DEMAND },
      { second: 25 * MINUTE, demand: 2 * GPU_RUN_DEMAND },
      { second: 40 * MINUTE, demand: 9 * GPU_RUN_DEMAND },
      { second: 55 * MINUTE, demand: 0 },
    ],
    durationSeconds: 75 * MINUTE,
  },
  {
    name: 'two runs that validate for two minutes in ten',
    steps: Array.from({ length: 6 }, (_, epoch) => [
      { second: 60 + epoch * 10 * MINUTE, demand: 2 * GPU_RUN_DEMAND },
      { second: 60 + (epoch * 10 + 8) * MINUTE, demand: GPU_RUN_DEMAND },
    ]).flat(),
    durationSeconds: 62 * MINUTE,
  },
];
