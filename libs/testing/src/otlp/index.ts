/**
 * A receiver of OTLP for tests: the real protocol, over gRPC and HTTP, decoded by messages generated from
 * opentelemetry-proto, which the exporters under test do not use.
 */
export { OtlpReceiver, type OtlpReceiverOptions } from './otlp-receiver.ts';
export type { ReceivedMetric, ReceivedSpan } from './received.ts';
