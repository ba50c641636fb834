import { status, type ClientReadableStream } from '@grpc/grpc-js';
import { isServiceError } from '../request-error.ts';

/** How a call ended that did not succeed, as a client sees it. */
export interface CallFailure {
  /** Name of the gRPC status, for example "NOT_FOUND". */
  readonly status: string;
  readonly details: string;
}

/**
 * The status that `call` fails with.
 * @throws Error when it succeeds, and whatever it fails with when that is no gRPC status.
 */
export async function failureOf(call: Promise<unknown>): Promise<CallFailure> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { status: status[error.code], details: error.details };
  }
  throw new Error(`Cannot tell the failure of a call: it must fail, got ${JSON.stringify(answer)}`);
}

/** Everything that `stream` gives until its end; rejects with its error. */
export async function collect<Message>(stream: ClientReadableStream<Message>): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of stream) messages.push(message as Message);
  return messages;
}
