import type { ServerHttp2Stream } from 'node:http2';
import {
  Metadata,
  ServerInterceptingCall,
  status,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServiceDefinition,
} from '@grpc/grpc-js';

type SendMessage = ServerInterceptingCall['sendMessage'];

/** Makes the frame of a response, or undefined for one that must be copied into a frame. */
type FrameOf = (response: unknown) => Buffer | undefined;

/**
 * Writes responses that bring their own frame to their HTTP/2 stream as they are. grpc-js copies each message into a new
 * frame: for one with voxels 0.3 MB of garbage, which takes as long as sending it (docs/decisions/wire-speed.md).
 *
 * A method whose definition has `responseFrame` beside `responseSerialize` takes part. grpc-js gives no hand in the stream
 * of a call; where it is not found, responses go the usual way.
 */
export function directResponses(definitions: readonly ServiceDefinition[]): ServerInterceptor {
  const frames = new Map<string, FrameOf>();
  for (const definition of definitions) {
    for (const method of Object.values(definition)) {
      if ('responseFrame' in method) frames.set(method.path, method.responseFrame as FrameOf);
    }
  }
  return ({ path }, call) => {
    const frameOf = frames.get(path);
    const stream = streamOf(call);
    if (frameOf === undefined || stream === undefined) return new ServerInterceptingCall(call);
    return new DirectCall(call, stream, frameOf);
  };
}

/** The stream under grpc-js's own call, a field that it does not name in its types. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream | undefined {
  const { stream } = call as { readonly stream?: Partial<ServerHttp2Stream> };
  return typeof stream?.write === 'function' && typeof stream.respond === 'function'
    ? (stream as ServerHttp2Stream)
    : undefined;
}

class DirectCall extends ServerInterceptingCall {
  readonly #stream: ServerHttp2Stream;
  readonly #frameOf: FrameOf;
  #isBegun = false;

  constructor(call: ServerInterceptingCallInterface, stream: ServerHttp2Stream, frameOf: FrameOf) {
    super(call);
    this.#stream = stream;
    this.#frameOf = frameOf;
  }

  override sendMetadata(metadata: Metadata): void {
    this.#isBegun = true;
    super.sendMetadata(metadata);
  }

  override sendMessage(...[message, callback]: Parameters<SendMessage>): void {
    const frame = this.#frame(message);
    if (frame === undefined) return super.sendMessage(message, callback);
    if (!this.#isBegun) this.sendMetadata(new Metadata());
    this.#stream.write(frame, (error) => {
      if (error === undefined || error === null) return callback();
      this.sendStatus({
        code: status.INTERNAL,
        details: 'internal: the response was not written',
        metadata: null,
      });
    });
  }

  /** Undefined where grpc-js knows what to do: of a closed stream, and of a response that cannot be written. */
  #frame(message: unknown): Buffer | undefined {
    if (this.#stream.closed || this.#stream.destroyed) return undefined;
    try {
      return this.#frameOf(message);
    } catch {
      return undefined;
    }
  }
}
