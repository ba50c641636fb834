import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type TextMapGetter,
  type TextMapSetter,
} from '@opentelemetry/api';
import { InterceptingCall, status, type Interceptor, type Metadata } from '@grpc/grpc-js';
import type { AttributesOf, Report } from './observations.ts';
import { SCOPE } from './observations.ts';

/** A call that has arrived, as its service sees it. */
export interface ArrivedCall {
  /** "/lunastream.chunk.v1.ChunkService/StreamChunks". */
  readonly path: string;
  readonly metadata: Metadata;
}

/** A call under way. */
export interface CallObservation {
  /** Runs `work`, and whatever it starts, in the call's context: logs and calls of its own belong to its trace. */
  readonly run: <Result>(work: () => Result) => Result;
  /** Tells how the call ended; only the first counts. */
  readonly end: (code: status) => void;
}

/** Sees every call that a service answers. */
export interface CallObserver {
  begin(call: ArrivedCall): CallObservation;
}

type RecordDuration = (durationS: number, attributes: AttributesOf<'rpc.server.call.duration'>) => void;

/** Statuses that are the fault of the service, by the semantic conventions for gRPC servers. */
const SERVER_FAULTS: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

const METADATA_GETTER: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};
const CARRY_SETTER: TextMapSetter<(name: string, value: string) => void> = {
  set: (carry, name, value) => carry(name, value),
};

/** "lunastream.chunk.v1.ChunkService/StreamChunks". */
function methodOf(path: string): string {
  return path.replace(/^\//, '');
}

/** Spans, durations and the number of calls that a service answers. */
export class RpcCalls implements CallObserver {
  readonly #recordDuration: RecordDuration;
  readonly #active = new Map<string, number>();

  constructor(recordDuration: RecordDuration) {
    this.#recordDuration = recordDuration;
  }

  begin({ path, metadata }: ArrivedCall): CallObservation {
    const method = methodOf(path);
    const startMs = performance.now();
    const parent = propagation.extract(ROOT_CONTEXT, metadata, METADATA_GETTER);
    const attributes = { 'rpc.system.name': 'grpc', 'rpc.method': method } as const;
    const span = trace.getTracer(SCOPE).startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
    const within = trace.setSpan(parent, span);
    this.#active.set(method, (this.#active.get(method) ?? 0) + 1);
    let isEnded = false;
    return {
      run: (work) => context.with(within, work),
      end: (code) => {
        if (isEnded) return;
        isEnded = true;
        this.#active.set(method, this.#active.get(method)! - 1);
        const name = status[code];
        const isFault = SERVER_FAULTS.has(code);
        span.setAttribute('rpc.response.status_code', name);
        if (isFault) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
        this.#recordDuration((performance.now() - startMs) / 1000, {
          ...attributes,
          'rpc.response.status_code': name,
          ...(isFault ? { 'error.type': name } : {}),
        });
      },
    };
  }

  /** Calls under way, by method. */
  observe(report: Report): void {
    for (const [method, count] of this.#active) {
      report('lunastream.calls.active', count, { 'rpc.method': method });
    }
  }
}

/** A client's call in the trace that was active when it was made. */
export interface ClientCallTrace {
  /** Tells how the call ended. */
  end(result: { readonly code: status; readonly details: string }): void;
}

/** Begins the span of a client's call; `carry` takes what carries the trace to the server, as names and values of metadata. */
export function startClientCall(path: string, carry: (name: string, value: string) => void): ClientCallTrace {
  const method = methodOf(path);
  const parent: Context = context.active();
  const attributes = { 'rpc.system.name': 'grpc', 'rpc.method': method };
  const span = trace.getTracer(SCOPE).startSpan(method, { kind: SpanKind.CLIENT, attributes }, parent);
  propagation.inject(trace.setSpan(parent, span), carry, CARRY_SETTER);
  return {
    end: ({ code, details }) => {
      span.setAttribute('rpc.response.status_code', status[code]);
      if (code !== status.OK && code !== status.CANCELLED) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: details });
      }
      span.end();
    },
  };
}

/**
 * Puts the calls of a client into the trace that is active when they are made. Without telemetry it costs and does
 * nothing. OpenTelemetry's gRPC instrumentation would need a loader hook: our modules are no CommonJS.
 */
export const traceClientCalls: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, _listener, next) => {
      const call = startClientCall(options.method_definition.path, (name, value) =>
        metadata.set(name, value),
      );
      next(metadata, {
        onReceiveStatus: (result, nextStatus) => {
          call.end(result);
          nextStatus(result);
        },
      });
    },
  });
