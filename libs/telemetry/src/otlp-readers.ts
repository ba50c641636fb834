import { OTLPMetricExporter as GrpcExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import {
  PeriodicExportingMetricReader,
  type MetricProducer,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';

/** Environment variables; OpenTelemetry's own packages read the rest of theirs themselves. */
type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 30_000;

/** Whether metrics are to be sent by OTLP: asked for, or an endpoint is named. */
export function wantsOtlpMetrics(environment: Environment): boolean {
  return exporters(environment, 'METRICS')?.includes('otlp') ?? hasEndpoint(environment, 'METRICS');
}

/** Whether traces are exported: asked for, or an endpoint is named. */
export function wantsTraces(environment: Environment): boolean {
  const wanted = exporters(environment, 'TRACES');
  return wanted === undefined ? hasEndpoint(environment, 'TRACES') : !wanted.includes('none');
}

/** Whether Prometheus may scrape: unless other exporters are asked for. */
export function wantsPrometheus(environment: Environment): boolean {
  return exporters(environment, 'METRICS')?.includes('prometheus') ?? true;
}

/** The address of OTEL_EXPORTER_PROMETHEUS_HOST and _PORT where those are set and our own variable is not. */
export function prometheusAddressOf(
  environment: Environment,
  configured: string | undefined,
): string | undefined {
  const { OTEL_EXPORTER_PROMETHEUS_HOST: host, OTEL_EXPORTER_PROMETHEUS_PORT: port } = environment;
  if (environment['LUNASTREAM_PROMETHEUS_LISTEN'] || configured === undefined || !(host || port))
    return configured;
  return `${host || '127.0.0.1'}:${port || 9464}`;
}

/** A reader that sends metrics by OTLP, configured by OTEL_* variables. */
export function createOtlpReader(
  environment: Environment,
  producer: MetricProducer,
): PeriodicExportingMetricReader {
  const intervalMs = positive(environment['OTEL_METRIC_EXPORT_INTERVAL']) ?? DEFAULT_INTERVAL_MS;
  const timeoutMs = positive(environment['OTEL_METRIC_EXPORT_TIMEOUT']) ?? DEFAULT_TIMEOUT_MS;
  return new PeriodicExportingMetricReader({
    exporter: createExporter(environment),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(timeoutMs, intervalMs),
    metricProducers: [producer],
  });
}

function createExporter(environment: Environment): PushMetricExporter {
  const protocol =
    environment['OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'] || environment['OTEL_EXPORTER_OTLP_PROTOCOL'] || '';
  switch (protocol.trim()) {
    case 'grpc':
      return new GrpcExporter();
    case 'http/json':
      return new JsonExporter();
    default:
      return new ProtobufExporter();
  }
}

function exporters(environment: Environment, signal: 'METRICS' | 'TRACES'): string[] | undefined {
  const text = environment[`OTEL_${signal}_EXPORTER`];
  return text === undefined || text.trim() === '' ? undefined : text.split(',').map((name) => name.trim());
}

function hasEndpoint(environment: Environment, signal: 'METRICS' | 'TRACES'): boolean {
  return Boolean(
    environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`],
  );
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return value > 0 ? value : undefined;
}
