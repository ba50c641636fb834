import root from 'otlp-messages/build/src/generated/root.js';

// The parts of the messages of opentelemetry-proto that tests look at; the generated module has no types of its own.

/** A 64-bit number of protobuf.js. */
export type Whole = number | { toString(): string };

export interface KeyValue {
  readonly key: string;
  readonly value?: {
    readonly stringValue?: string;
    readonly boolValue?: boolean;
    readonly intValue?: Whole;
    readonly doubleValue?: number;
  };
}
export interface Resource {
  readonly attributes: readonly KeyValue[];
}
export interface NumberPoint {
  readonly attributes: readonly KeyValue[];
  readonly asDouble?: number;
  readonly asInt?: Whole;
}
export interface HistogramPoint {
  readonly attributes: readonly KeyValue[];
  readonly count: Whole;
  readonly explicitBounds: readonly number[];
}
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly gauge?: { readonly dataPoints: readonly NumberPoint[] };
  readonly sum?: { readonly dataPoints: readonly NumberPoint[]; readonly isMonotonic: boolean };
  readonly histogram?: { readonly dataPoints: readonly HistogramPoint[] };
}
export interface MetricsRequest {
  readonly resourceMetrics: readonly {
    readonly resource?: Resource;
    readonly scopeMetrics: readonly {
      readonly scope?: { readonly name: string };
      readonly metrics: readonly Metric[];
    }[];
  }[];
}
export interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array | null;
  readonly attributes: readonly KeyValue[];
}
export interface TracesRequest {
  readonly resourceSpans: readonly {
    readonly resource?: Resource;
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

interface Codec<Message> {
  decode(bytes: Uint8Array): Message;
  encode(message: Partial<Message>): { finish(): Uint8Array };
}
interface Collector {
  readonly metrics: {
    readonly v1: {
      readonly ExportMetricsServiceRequest: Codec<MetricsRequest>;
      readonly ExportMetricsServiceResponse: Codec<object>;
    };
  };
  readonly trace: {
    readonly v1: {
      readonly ExportTraceServiceRequest: Codec<TracesRequest>;
      readonly ExportTraceServiceResponse: Codec<object>;
    };
  };
}

/** Messages of `opentelemetry.proto.collector`. */
export const collector = (root as unknown as { opentelemetry: { proto: { collector: Collector } } })
  .opentelemetry.proto.collector;
