import {
  status,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type ServerErrorResponse,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { NO_TELEMETRY, type CallObservation, type CallObserver } from '@lunastream/telemetry';
import type { Authorize } from './bearer-token.ts';
import type { Logger } from './logger.ts';
import { RequestError, toGrpcStatus } from './request-error.ts';
import { ResponseWriter } from './response-writer.ts';
import type { StreamRegistry } from './stream-registry.ts';

/** What handlers need of the service around them. */
export interface HandlerContext {
  readonly logger: Logger;
  readonly streams: StreamRegistry;
  /** Checks calls to protected handlers; without it everyone may call them. */
  readonly authorize?: Authorize;
  /** Sees every call, for metrics and traces. */
  readonly calls?: CallObserver;
}

function observe(
  { calls = NO_TELEMETRY.calls }: HandlerContext,
  call: { getPath(): string; readonly metadata: Metadata },
): CallObservation {
  return calls.begin({ path: call.getPath(), metadata: call.metadata });
}

/** Turns an async function into a unary handler. Whatever it throws is answered, and logged once. */
export function unaryHandler<Request, Response>(
  context: HandlerContext,
  handle: (request: Request) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return answering(context, ({ request }) => handle(request));
}

/** A unary handler that answers only callers who carry the service's token; others are UNAUTHENTICATED. */
export function protectedUnaryHandler<Request, Response>(
  context: HandlerContext,
  handle: (request: Request) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return answering(context, ({ request, metadata }) => {
    context.authorize?.(metadata);
    return handle(request);
  });
}

function answering<Request, Response>(
  context: HandlerContext,
  handle: (call: ServerUnaryCall<Request, Response>) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    // Within an async function, so that a `handle` that throws instead of rejecting is answered too.
    const answer = async () => handle(call);
    const { run, end } = observe(context, call);
    void run(() =>
      answer().then(
        (response) => {
          end(status.OK);
          callback(null, response);
        },
        (error: unknown) => {
          const refusal = toServerError(error, call.getPath(), context.logger);
          end(refusal.code);
          callback(refusal);
        },
      ),
    );
  };
}

/**
 * Turns an async generator into a server-streaming handler. The generator runs only as fast as the client reads; its
 * signal aborts when the client goes away, the deadline passes or the service drains. A generator that ends after that
 * has not answered everything: the client then gets the signal's reason, never OK.
 *
 * `onSent` is told of a response once it is written and nothing reads it any more: memory that it was made of may be
 * used again. Of responses that are never written, because the client went away, it is not told.
 */
export function streamHandler<Request, Response>(
  context: HandlerContext,
  handle: (request: Request, signal: AbortSignal) => AsyncIterable<Response>,
  onSent?: (response: Response) => void,
): handleServerStreamingCall<Request, Response> {
  return writingHandler(
    context,
    async (request, writer) => {
      for await (const response of handle(request, writer.signal)) {
        const room = writer.write(response);
        if (room !== undefined) await room;
      }
    },
    onSent,
  );
}

/** A handler like that of `streamHandler`, of a function that writes by itself: without a promise for each response. */
export function writingHandler<Request, Response>(
  context: HandlerContext,
  handle: (request: Request, writer: ResponseWriter<Response>) => Promise<void>,
  onSent?: (response: Response) => void,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const { run, end } = observe(context, call);
    void context.streams.track((ending) =>
      run(async () => {
        const { signal } = ending;
        let isGone = false;
        let isDone = false;
        call.once('cancelled', () => {
          // grpc-js tells this of calls that ended well, too.
          if (isDone) return;
          isGone = true;
          ending.abort(new RequestError('cancelled', 'the client cancelled'));
        });
        try {
          await handle(call.request, new ResponseWriter(call, signal, onSent));
          signal.throwIfAborted();
          isDone = true;
          end(status.OK);
          call.end();
        } catch (error) {
          if (isGone) return end(status.CANCELLED);
          // What a handler throws once its signal aborted only follows from that.
          const reason: unknown = signal.aborted ? signal.reason : error;
          const refusal = toServerError(reason, call.getPath(), context.logger);
          end(refusal.code);
          call.emit('error', refusal);
        }
      }),
    );
  };
}

function toServerError(
  error: unknown,
  path: string,
  logger: Logger,
): ServerErrorResponse & Error & { readonly code: status } {
  const { code, details } = toGrpcStatus(error);
  const known = error instanceof RequestError;
  logger[known ? 'info' : 'error'](
    { err: error, path },
    known ? 'request refused' : 'internal: request failed',
  );
  return Object.assign(new Error(details), { code, details });
}
