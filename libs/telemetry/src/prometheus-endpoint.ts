import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  AggregationTemporality,
  DataPointType,
  MetricReader,
  type MetricData,
  type MetricProducer,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { InstrumentKind } from './registry.ts';
import { toPrometheusName } from './prometheus-name.ts';

/** The label that tells services apart; everything else about a process is in `target_info`. */
const RESOURCE_LABELS = /^service\.name$/;
const PATH = '/metrics';

/** A reader that Prometheus scrapes: `GET /metrics`. */
export class PrometheusEndpoint extends MetricReader {
  readonly #serializer = new PrometheusSerializer('', false, RESOURCE_LABELS, false, true);
  readonly #onProblem: (problem: string, error: unknown) => void;
  #server: Server | undefined;

  constructor(producer: MetricProducer, onProblem: (problem: string, error: unknown) => void) {
    super({
      aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE,
      metricProducers: [producer],
    });
    this.#onProblem = onProblem;
  }

  /** Listens on "host:port", port 0 for any; resolves with the address that it got, or rejects. */
  async listen(address: string): Promise<string> {
    const server = createServer((request, response) => {
      if (request.url?.split('?')[0] !== PATH) {
        response.writeHead(404).end();
        return;
      }
      this.#text().then(
        (text) =>
          response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
        (error: unknown) => {
          this.#onProblem('metrics cannot be collected', error);
          response.writeHead(500).end();
        },
      );
    });
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at).replace(/^\[|\]$/g, '');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: Number(address.slice(at + 1)) }, resolve);
    });
    server.on('error', (error) => this.#onProblem('the Prometheus endpoint failed', error));
    // A scraper that keeps its connection must not keep the service from ending.
    server.unref();
    this.#server = server;
    return address.replace(/\d+$/, String((server.address() as AddressInfo).port));
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    this.#server?.close();
    this.#server?.closeAllConnections();
    return Promise.resolve();
  }

  async #text(): Promise<string> {
    const { resourceMetrics, errors } = await this.collect();
    for (const error of errors) this.#onProblem('a metric cannot be read', error);
    return this.#serializer.serialize(withPrometheusNames(resourceMetrics));
  }
}

function withPrometheusNames({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics {
  const rename = (metric: MetricData): MetricData => {
    const { name, unit } = metric.descriptor;
    // A unit of its own line is OpenMetrics; in the text format it would be a comment that repeats the name.
    const descriptor = {
      ...metric.descriptor,
      unit: '',
      name: toPrometheusName(name, { kind: kindOf(metric), unit }),
    };
    return { ...metric, descriptor };
  };
  return {
    resource,
    scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({ scope, metrics: metrics.map(rename) })),
  };
}

function kindOf(metric: MetricData): InstrumentKind {
  switch (metric.dataPointType) {
    case DataPointType.SUM:
      return metric.isMonotonic ? 'counter' : 'updowncounter';
    case DataPointType.GAUGE:
      return 'gauge';
    case DataPointType.HISTOGRAM:
    case DataPointType.EXPONENTIAL_HISTOGRAM:
      return 'histogram';
  }
}
