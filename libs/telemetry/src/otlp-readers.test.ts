import { expect, it } from 'vitest';
import { prometheusAddressOf, wantsOtlpMetrics, wantsPrometheus, wantsTraces } from './otlp-readers.ts';

const wanted = (environment: Record<string, string>) => ({
  otlp: wantsOtlpMetrics(environment),
  prometheus: wantsPrometheus(environment),
  traces: wantsTraces(environment),
});

it.each([
  [{}, { otlp: false, prometheus: true, traces: false }],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, { otlp: true, prometheus: true, traces: true }],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c' }, { otlp: true, prometheus: true, traces: false }],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' }, { otlp: false, prometheus: true, traces: true }],
  [{ OTEL_METRICS_EXPORTER: 'otlp' }, { otlp: true, prometheus: false, traces: false }],
  [{ OTEL_METRICS_EXPORTER: 'otlp, prometheus' }, { otlp: true, prometheus: true, traces: false }],
  [{ OTEL_METRICS_EXPORTER: 'none' }, { otlp: false, prometheus: false, traces: false }],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_METRICS_EXPORTER: 'none', OTEL_TRACES_EXPORTER: 'none' },
    { otlp: false, prometheus: false, traces: false },
  ],
])('%o starts %o', (environment, expected) => {
  expect(wanted(environment as Record<string, string>)).toEqual(expected);
});

it.each([
  [{}, '127.0.0.1:9466'],
  [{ OTEL_EXPORTER_PROMETHEUS_PORT: '9999' }, '127.0.0.1:9999'],
  [{ OTEL_EXPORTER_PROMETHEUS_HOST: '0.0.0.0' }, '0.0.0.0:9464'],
  [
    { OTEL_EXPORTER_PROMETHEUS_PORT: '9999', LUNASTREAM_PROMETHEUS_LISTEN: '127.0.0.1:9466' },
    '127.0.0.1:9466',
  ],
])('prometheusAddressOf(%o) is %s', (environment, expected) => {
  expect(prometheusAddressOf(environment as Record<string, string>, '127.0.0.1:9466')).toBe(expected);
});
