import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type DataPoint,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { AttributeValue } from './attributes.ts';
import {
  instrument,
  seriesLimit,
  type INSTRUMENTS,
  type InstrumentName,
  type ObservedName,
} from './registry.ts';

type AttributeNameOf<Name extends InstrumentName> = (typeof INSTRUMENTS)[Name]['attributes'][number];

/** The attributes of a value of `Name`: all that the registry gives it, but `error.type` only where something failed. */
export type AttributesOf<Name extends InstrumentName> = {
  readonly [Attribute in Exclude<AttributeNameOf<Name>, 'error.type'>]: AttributeValue<Attribute>;
} & { readonly [Attribute in Extract<AttributeNameOf<Name>, 'error.type'>]?: AttributeValue<Attribute> };

/**
 * Tells one value. An undefined one is not told: there was nothing to measure. Counters are told as their sum so far.
 */
export type Report = <Name extends ObservedName>(
  name: Name,
  value: number | undefined,
  attributes: AttributesOf<Name>,
) => void;

/** Reads what a part of the service counts. Called whenever metrics are collected; must be quick. */
export type Observer = (report: Report) => void;

/** Name of the instrumentation scope of all our metrics. */
export const SCOPE = 'lunastream';
/** Where values go that are beyond the bound of an instrument; of the OpenTelemetry specification. */
const OVERFLOW = { 'otel.metric.overflow': true };

interface Series {
  readonly attributes: Attributes;
  value: number;
}

/**
 * Counters and gauges as their owners keep them, read at each collection. Nothing is remembered in between, so the
 * series of a worker that went away or of an old run end with it: OpenTelemetry's own observable instruments report
 * every series for ever.
 */
export class Observations implements MetricProducer {
  readonly #observers = new Set<Observer>();
  readonly #startTime: HrTime = hrTimeNow();

  /** Calls `observer` at each collection from now on; returns how to end that. */
  add(observer: Observer): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** What every observer reports now. One that throws costs its own values only. */
  collect(): Promise<CollectionResult> {
    const errors: unknown[] = [];
    const families = new Map<ObservedName, Map<string, Series>>();
    for (const observer of this.#observers) {
      try {
        observer((name, value, attributes) => {
          if (value !== undefined && Number.isFinite(value)) add(families, name, { attributes, value });
        });
      } catch (error) {
        errors.push(error);
      }
    }
    const endTime = hrTimeNow();
    const metrics = Array.from(families, ([name, series]) =>
      toMetricData(
        name,
        Array.from(series.values(), (one) => ({ ...one, startTime: this.#startTime, endTime })),
      ),
    );
    const scopeMetrics = metrics.length === 0 ? [] : [{ scope: { name: SCOPE }, metrics }];
    return Promise.resolve({ resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors });
  }
}

/** Adds a value to its series; several observers may report into one counter. */
function add(
  families: Map<ObservedName, Map<string, Series>>,
  name: ObservedName,
  { attributes, value }: Series,
): void {
  const family = families.get(name) ?? new Map<string, Series>();
  families.set(name, family);
  const isGauge = instrument(name).kind === 'gauge';
  const allowed = instrument(name).attributes;
  const kept: Attributes = Object.fromEntries(allowed.map((one) => [one, attributes[one]]));
  const key = JSON.stringify(allowed.map((one) => attributes[one]));
  const known = family.get(key);
  if (known !== undefined) known.value = isGauge ? value : known.value + value;
  else if (family.size < seriesLimit(name)) family.set(key, { attributes: kept, value });
  // The sum of gauges means nothing: what is beyond the bound is counted where it can be, and else left out.
  else if (!isGauge) {
    const overflow = family.get('overflow') ?? { attributes: OVERFLOW, value: 0 };
    overflow.value += value;
    family.set('overflow', overflow);
  }
}

function toMetricData(name: ObservedName, dataPoints: DataPoint<number>[]): MetricData {
  const { kind, unit, meaning } = instrument(name);
  const common = {
    descriptor: { name, unit, description: meaning, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints,
  };
  return kind === 'gauge'
    ? { ...common, dataPointType: DataPointType.GAUGE }
    : { ...common, dataPointType: DataPointType.SUM, isMonotonic: kind === 'counter' };
}

function hrTimeNow(): HrTime {
  const nowMs = performance.timeOrigin + performance.now();
  const seconds = Math.floor(nowMs / 1000);
  return [seconds, Math.floor((nowMs - seconds * 1000) * 1e6)];
}
