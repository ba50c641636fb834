export {
  ATTRIBUTES,
  type AttributeDefinition,
  type AttributeName,
  type AttributeValue,
} from './attributes.ts';
export { instrumentsDocument } from './instruments-document.ts';
export type { AttributesOf, Observer, Report } from './observations.ts';
export { observeSampleMaking, type SampleMakingCounts } from './observe-sample-making.ts';
export { prometheusAddressOf } from './otlp-readers.ts';
export { prometheusName } from './prometheus-name.ts';
export {
  instrument,
  INSTRUMENTS,
  isToldBy,
  seriesLimit,
  type HistogramName,
  type InstrumentDefinition,
  type InstrumentKind,
  type InstrumentName,
  type ObservedName,
  type ReportingService,
  type TrainerSupply,
} from './registry.ts';
export {
  reportChunkSource,
  reportChunkTier,
  type ChunkSourceCounts,
  type ChunkTierCounts,
  type StoredTierCounts,
} from './report-chunk-tiers.ts';
export {
  startClientCall,
  traceClientCalls,
  type CallObservation,
  type CallObserver,
  type ClientCallTrace,
} from './rpc-calls.ts';
export { logFields, withRun } from './run-context.ts';
export { startTrace, type TracedWork } from './traced-work.ts';
export { NO_TELEMETRY, startTelemetry, type Telemetry, type TelemetryOptions } from './start-telemetry.ts';
