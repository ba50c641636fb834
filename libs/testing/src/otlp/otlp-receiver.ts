import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server as GrpcServer, ServerCredentials, type handleUnaryCall } from '@grpc/grpc-js';
import { collector } from './messages.ts';
import { receivedMetrics, receivedSpans, type ReceivedMetric, type ReceivedSpan } from './received.ts';

export interface OtlpReceiverOptions {
  readonly protocol: 'grpc' | 'http/protobuf';
  /** Port on this machine's loopback; any unless given. */
  readonly port?: number;
  /** Takes requests and never answers them. */
  readonly isStuck?: boolean;
}

/** The two services of OTLP that we use: by path of HTTP, and by name of gRPC. */
const SIGNALS = {
  metrics: {
    httpPath: '/v1/metrics',
    grpcService: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
    Request: collector.metrics.v1.ExportMetricsServiceRequest,
    Response: collector.metrics.v1.ExportMetricsServiceResponse,
  },
  traces: {
    httpPath: '/v1/traces',
    grpcService: 'opentelemetry.proto.collector.trace.v1.TraceService',
    Request: collector.trace.v1.ExportTraceServiceRequest,
    Response: collector.trace.v1.ExportTraceServiceResponse,
  },
} as const;
type Signal = keyof typeof SIGNALS;

/** Receives metrics and traces on a free port of the loopback, and keeps them. */
export class OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  readonly metrics: ReceivedMetric[] = [];
  readonly spans: ReceivedSpan[] = [];
  /** Exports that arrived. */
  exportCount = 0;
  readonly #isStuck: boolean;
  readonly #close: () => void;
  readonly #watchers = new Set<() => void>();

  private constructor(isStuck: boolean, listening: { port: number; close: () => void }) {
    this.#isStuck = isStuck;
    this.endpoint = `http://127.0.0.1:${listening.port}`;
    this.#close = listening.close;
  }

  static async start({ protocol, port = 0, isStuck = false }: OtlpReceiverOptions): Promise<OtlpReceiver> {
    // The server hands over to the receiver, which needs the server's port first.
    const take: Take = (signal, bytes) => receiver.#take(signal, bytes);
    const listening = await (protocol === 'grpc' ? listenGrpc(port, take) : listenHttp(port, take));
    const receiver = new OtlpReceiver(isStuck, listening);
    return receiver;
  }

  /** Waits until `isComplete` of what has arrived. The test's own time limit ends it otherwise. */
  async until(isComplete: () => boolean): Promise<void> {
    while (!isComplete()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  /** The latest value of `name` with at least these attributes, or undefined. */
  latest(name: string, attributes: Readonly<Record<string, string>> = {}): ReceivedMetric | undefined {
    return this.metrics.findLast(
      (one) =>
        one.name === name &&
        Object.entries(attributes).every(([key, value]) => one.attributes[key] === value),
    );
  }

  /** Ends the server and its connections. */
  stop(): void {
    this.#close();
  }

  /** Whether the export is to be answered. */
  #take(signal: Signal, bytes: Uint8Array): boolean {
    if (signal === 'metrics') this.metrics.push(...receivedMetrics(SIGNALS.metrics.Request.decode(bytes)));
    else this.spans.push(...receivedSpans(SIGNALS.traces.Request.decode(bytes)));
    this.exportCount++;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const wake of watchers) wake();
    return !this.#isStuck;
  }
}

type Take = (signal: Signal, bytes: Uint8Array) => boolean;
interface Listening {
  readonly port: number;
  readonly close: () => void;
}

async function listenGrpc(port: number, take: Take): Promise<Listening> {
  const server = new GrpcServer();
  for (const signal of ['metrics', 'traces'] as const) {
    const { grpcService, Response } = SIGNALS[signal];
    const method = {
      path: `/${grpcService}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: () => Buffer.from(Response.encode({}).finish()),
      responseDeserialize: (bytes: Buffer) => bytes,
    } as const;
    const handle: handleUnaryCall<Buffer, object> = ({ request }, answer) => {
      if (take(signal, request)) answer(null, {});
    };
    server.addService({ export: method }, { export: handle });
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, got) =>
      error === null ? resolve(got) : reject(error),
    );
  });
  return { port: bound, close: () => server.forceShutdown() };
}

async function listenHttp(port: number, take: Take): Promise<Listening> {
  const server: HttpServer = createServer((request, response) => {
    const signal = (['metrics', 'traces'] as const).find((one) => SIGNALS[one].httpPath === request.url);
    if (signal === undefined) {
      response.writeHead(404).end();
      return;
    }
    void readBody(request).then((bytes) => {
      if (!take(signal, bytes)) return;
      response.setHeader('content-type', 'application/x-protobuf');
      response.end(SIGNALS[signal].Response.encode({}).finish());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}
