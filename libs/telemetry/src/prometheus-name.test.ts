import { expect, it } from 'vitest';
import { toPrometheusName } from './prometheus-name.ts';

it.each([
  ['lunastream.step.duration', 'histogram', 's', 'lunastream_step_duration_seconds'],
  ['lunastream.run.stall.time', 'counter', 's', 'lunastream_run_stall_time_seconds_total'],
  ['lunastream.chunks.size', 'gauge', 'By', 'lunastream_chunks_size_bytes'],
  ['lunastream.epoch.recall', 'gauge', '1', 'lunastream_epoch_recall_ratio'],
  ['lunastream.run.samples', 'counter', '{sample}', 'lunastream_run_samples_total'],
  ['lunastream.demand', 'gauge', '{sample}/s', 'lunastream_demand_per_second'],
  ['lunastream.calls.active', 'gauge', '{call}', 'lunastream_calls_active'],
  ['process.memory.usage', 'updowncounter', 'By', 'process_memory_usage_bytes'],
  ['transfer.bytes', 'counter', 'By', 'transfer_bytes_total'],
  ['a.share', 'counter', '1', 'a_share_total'],
] as const)('toPrometheusName() turns %s, a %s in %s, into %s', (name, kind, unit, expected) => {
  expect(toPrometheusName(name, { kind, unit })).toBe(expected);
});
