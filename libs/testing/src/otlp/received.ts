import type { KeyValue, Metric, MetricsRequest, NumberPoint, TracesRequest, Whole } from './messages.ts';

/** Values of attributes by name. */
export type ReceivedAttributes = Readonly<Record<string, string | number | boolean>>;

/** One point of a metric, as it arrived. */
export interface ReceivedMetric {
  readonly resource: ReceivedAttributes;
  readonly scope: string;
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly kind: 'counter' | 'updowncounter' | 'gauge' | 'histogram';
  readonly attributes: ReceivedAttributes;
  /** Of a histogram the number of its values. */
  readonly value: number;
  /** Upper bounds of a histogram's buckets; empty for others. */
  readonly boundaries: readonly number[];
}

/** A span, as it arrived; ids in hexadecimal. */
export interface ReceivedSpan {
  readonly resource: ReceivedAttributes;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root of a trace. */
  readonly parentSpanId: string;
  readonly attributes: ReceivedAttributes;
}

const SPAN_KINDS = { 1: 'internal', 2: 'server', 3: 'client' } as const;

function toNumber(value: Whole | undefined): number {
  return typeof value === 'object' ? Number(value.toString()) : Number(value);
}

function toAttributes(list: readonly KeyValue[] | undefined): ReceivedAttributes {
  return Object.fromEntries(
    (list ?? []).map(({ key, value }) => [
      key,
      value?.stringValue ?? value?.boolValue ?? toNumber(value?.intValue ?? value?.doubleValue),
    ]),
  );
}

/** protobuf.js makes null of bytes that are absent. */
function toHex(bytes: Uint8Array | null): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

function numberPoint({ attributes, asDouble, asInt }: NumberPoint) {
  return { attributes: toAttributes(attributes), value: asDouble ?? toNumber(asInt), boundaries: [] };
}

function pointsOf(metric: Metric): Pick<ReceivedMetric, 'kind' | 'attributes' | 'value' | 'boundaries'>[] {
  const { gauge, sum, histogram } = metric;
  if (gauge) return gauge.dataPoints.map((point) => ({ kind: 'gauge', ...numberPoint(point) }));
  if (sum) {
    const kind = sum.isMonotonic ? 'counter' : 'updowncounter';
    return sum.dataPoints.map((point) => ({ kind, ...numberPoint(point) }));
  }
  return (histogram?.dataPoints ?? []).map(({ attributes, count, explicitBounds }) => ({
    kind: 'histogram',
    attributes: toAttributes(attributes),
    value: toNumber(count),
    boundaries: explicitBounds,
  }));
}

/** Every point of an export of metrics. */
export function receivedMetrics({ resourceMetrics }: MetricsRequest): ReceivedMetric[] {
  return resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ scope, metrics }) =>
      metrics.flatMap((metric) =>
        pointsOf(metric).map((point) => ({
          resource: toAttributes(resource?.attributes),
          scope: scope?.name ?? '',
          name: metric.name,
          unit: metric.unit,
          description: metric.description,
          ...point,
        })),
      ),
    ),
  );
}

/** Every span of an export of traces. */
export function receivedSpans({ resourceSpans }: TracesRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        resource: toAttributes(resource?.attributes),
        name: span.name,
        kind: SPAN_KINDS[span.kind as 1 | 2 | 3],
        traceId: toHex(span.traceId),
        spanId: toHex(span.spanId),
        parentSpanId: toHex(span.parentSpanId),
        attributes: toAttributes(span.attributes),
      })),
    ),
  );
}
