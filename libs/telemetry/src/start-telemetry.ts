import { createRequire } from 'node:module';
import { context, diag, DiagLogLevel, metrics, propagation, trace } from '@opentelemetry/api';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import {
  envDetector,
  hostDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import {
  createAllowListAttributesProcessor,
  type MetricReader,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base';
import { Observations, SCOPE, type AttributesOf, type Observer } from './observations.ts';
import { createOtlpReader, wantsOtlpMetrics, wantsPrometheus, wantsTraces } from './otlp-readers.ts';
import { ProblemLog, type TellProblem } from './problem-log.ts';
import { PrometheusEndpoint } from './prometheus-endpoint.ts';
import { instrument, INSTRUMENTS, seriesLimit, type HistogramName, type InstrumentName } from './registry.ts';
import { RpcCalls, type CallObserver } from './rpc-calls.ts';

/** Longest time that a flush, or the last flush of a service, may take. */
const FLUSH_TIMEOUT_MS = 2_000;
/** Share of batches that are traced unless OTEL_TRACES_SAMPLER says otherwise. */
const TRACED_SHARE = 0.05;

export interface TelemetryOptions {
  /** Name of the service, resource attribute `service.name` unless OTEL_SERVICE_NAME is set. */
  readonly service: string;
  /** "host:port" where Prometheus scrapes, port 0 for any; undefined for nowhere. */
  readonly prometheusAddress: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told what goes wrong. Nothing of telemetry ever throws into the work it watches. */
  readonly onProblem: TellProblem;
}

/** What a service tells of itself. */
export interface Telemetry {
  /** Address that Prometheus scrapes, "host:port"; undefined when there is none. */
  readonly prometheusAddress: string | undefined;
  /** Sees the calls that the service answers. */
  readonly calls: CallObserver;
  /** Reads counters and gauges by `observer` whenever they are collected; returns how to end that. */
  observe(observer: Observer): () => void;
  /** Adds a value to a histogram. */
  record<Name extends HistogramName>(name: Name, value: number, attributes: AttributesOf<Name>): void;
  /** Sends what there is, within two seconds. Never rejects. */
  flush(): Promise<void>;
  /** Sends what there is and ends telemetry, within two seconds. Never rejects. */
  shutdown(): Promise<void>;
}

/** Tells nothing: for tests and wherever telemetry is not wanted. */
export const NO_TELEMETRY: Telemetry = {
  prometheusAddress: undefined,
  calls: { begin: () => ({ run: (work) => work(), end: () => undefined }) },
  observe: () => () => undefined,
  record: () => undefined,
  flush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/**
 * Starts OpenTelemetry in this process; once, since it is global. Metrics are scraped by Prometheus and sent by OTLP
 * where an OTEL_EXPORTER_OTLP_ENDPOINT is set; so are traces. Whatever cannot be started is told and left out.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { environment } = options;
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return NO_TELEMETRY;
  const problems = new ProblemLog(options.onProblem);
  try {
    return await start(options, problems);
  } catch (error) {
    problems.note('telemetry cannot be started; the service goes on without', error);
    return NO_TELEMETRY;
  }
}

async function start(options: TelemetryOptions, problems: ProblemLog): Promise<Telemetry> {
  const { environment } = options;
  const observations = new Observations();
  const readers: MetricReader[] = [];
  if (wantsOtlpMetrics(environment)) readers.push(createOtlpReader(environment, observations));
  let prometheusAddress: string | undefined;
  if (options.prometheusAddress !== undefined && wantsPrometheus(environment)) {
    const endpoint = new PrometheusEndpoint(observations, (problem, error) => problems.note(problem, error));
    prometheusAddress = await endpoint.listen(options.prometheusAddress).catch((error: unknown) => {
      problems.note(`Prometheus cannot scrape this service at ${options.prometheusAddress}`, error);
      return undefined;
    });
    if (prometheusAddress !== undefined) readers.push(endpoint);
  }
  const sdk = startSdk(options, readers, problems);
  return new RunningTelemetry({ sdk, readers, observations, prometheusAddress, problems });
}

function startSdk(
  { service, environment }: TelemetryOptions,
  readers: readonly MetricReader[],
  problems: ProblemLog,
): NodeSDK {
  const hasSampler = Boolean(environment['OTEL_TRACES_SAMPLER']);
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({
      'service.namespace': 'lunastream',
      'service.name': service,
      'service.version': version(),
    }),
    resourceDetectors: [serviceInstanceIdDetector, hostDetector, envDetector],
    metricReaders: [...readers],
    views: histogramViews(),
    // Logs go to standard output as JSON lines; whoever collects those has them.
    logRecordProcessors: [],
    ...(wantsTraces(environment) ? {} : { spanProcessors: [] }),
    ...(hasSampler
      ? {}
      : { sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(TRACED_SHARE) }) }),
  });
  const told = (message: string, ...details: unknown[]) => problems.note(message, details[0]);
  setGlobalErrorHandler((error) => problems.note('telemetry cannot be sent', error));
  const silent = () => undefined;
  diag.setLogger(
    { error: told, warn: told, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  sdk.start();
  return sdk;
}

/** Each histogram with its buckets, its attributes and no others, and its bound of series. */
function histogramViews(): ViewOptions[] {
  const names = Object.keys(INSTRUMENTS) as InstrumentName[];
  return names
    .filter((name) => instrument(name).kind === 'histogram')
    .map((name) => ({
      instrumentName: name,
      attributesProcessors: [createAllowListAttributesProcessor([...instrument(name).attributes])],
      // The SDK keeps one place for what is beyond the bound.
      aggregationCardinalityLimit: seriesLimit(name) + 1,
    }));
}

function version(): string {
  const require = createRequire(import.meta.url);
  return (require('@lunastream/telemetry/package.json') as { version: string }).version;
}

interface RunningParts {
  readonly sdk: NodeSDK;
  readonly readers: readonly MetricReader[];
  readonly observations: Observations;
  readonly prometheusAddress: string | undefined;
  readonly problems: ProblemLog;
}

class RunningTelemetry implements Telemetry {
  readonly #parts: RunningParts;
  readonly #histograms = new Map<HistogramName, ReturnType<typeof createHistogram>>();
  readonly calls: RpcCalls;
  #flushing: Promise<void> | undefined;
  #flushAgain = false;

  constructor(parts: RunningParts) {
    this.#parts = parts;
    this.calls = new RpcCalls((durationS, attributes) =>
      this.record('rpc.server.call.duration', durationS, attributes),
    );
    this.observe((report) => this.calls.observe(report));
  }

  get prometheusAddress(): string | undefined {
    return this.#parts.prometheusAddress;
  }

  observe(observer: Observer): () => void {
    return this.#parts.observations.add(observer);
  }

  record<Name extends HistogramName>(name: Name, value: number, attributes: AttributesOf<Name>): void {
    const histogram = this.#histograms.get(name) ?? createHistogram(name);
    this.#histograms.set(name, histogram);
    histogram.record(value, { ...attributes });
  }

  /** One flush at a time; those asked for meanwhile become one after it. */
  flush(): Promise<void> {
    if (this.#flushing !== undefined) {
      this.#flushAgain = true;
      return this.#flushing;
    }
    this.#flushing = this.#flushWhileAsked().finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async shutdown(): Promise<void> {
    await this.#within('the last metrics could not be sent', () => this.#parts.sdk.shutdown());
    // The next telemetry of this process starts afresh: only tests have one.
    for (const api of [metrics, trace, context, propagation, diag]) api.disable();
  }

  async #flushWhileAsked(): Promise<void> {
    do {
      this.#flushAgain = false;
      await this.#within('metrics could not be sent', async () => {
        await Promise.all(this.#parts.readers.map((reader) => reader.forceFlush()));
      });
    } while (this.#flushAgain);
  }

  async #within(problem: string, work: () => Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${FLUSH_TIMEOUT_MS} ms`)), FLUSH_TIMEOUT_MS);
    });
    try {
      await Promise.race([work(), timeout]);
    } catch (error) {
      this.#parts.problems.note(problem, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function createHistogram(name: HistogramName) {
  const { unit, meaning, boundaries } = instrument(name);
  return metrics.getMeter(SCOPE).createHistogram(name, {
    unit,
    description: meaning,
    advice: { explicitBucketBoundaries: [...(boundaries ?? [])] },
  });
}
