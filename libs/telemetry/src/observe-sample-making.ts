import type { Telemetry } from './start-telemetry.ts';

/** Weight of the latest sample in the mean of how long samples take: some hundred of them. */
const MEAN_WEIGHT = 0.01;
const MS_PER_S = 1000;

/** What a process counts that makes samples, since it started. */
export interface SampleMakingCounts {
  readonly sampleCount: number;
  readonly failureCount: number;
  readonly voxelCount: number;
  readonly borderVoxelCount: number;
  readonly queuedBytes: number;
  /** Told, for each sample, how long its thread took; set here. */
  onSampleMade: ((tookMs: number) => void) | undefined;
}

/** Tells what a process makes with `threads`, and how much it could. */
export function observeSampleMaking(telemetry: Telemetry, counts: SampleMakingCounts, threads: number): void {
  let meanTookMs: number | undefined;
  counts.onSampleMade = (tookMs) => {
    telemetry.record('lunastream.worker.transform.duration', tookMs / MS_PER_S, {});
    meanTookMs = meanTookMs === undefined ? tookMs : meanTookMs + MEAN_WEIGHT * (tookMs - meanTookMs);
  };
  telemetry.observe((report) => {
    report('lunastream.worker.samples', counts.sampleCount, {});
    report('lunastream.worker.failures', counts.failureCount, {});
    report('lunastream.worker.voxels', counts.voxelCount, {});
    report('lunastream.worker.border_voxels', counts.borderVoxelCount, {});
    report('lunastream.worker.queued', counts.queuedBytes, {});
    report('lunastream.worker.threads', threads, {});
    report('lunastream.worker.capacity', capacityPerS(threads, meanTookMs), {});
  });
}

/** Samples per second of `threads` that never wait; undefined before the first sample. */
function capacityPerS(threads: number, meanTookMs: number | undefined): number | undefined {
  return meanTookMs === undefined || meanTookMs === 0 ? undefined : (threads * MS_PER_S) / meanTookMs;
}
