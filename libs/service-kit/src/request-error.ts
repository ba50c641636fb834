import { status, type ServiceError } from '@grpc/grpc-js';

/**
 * What went wrong with a request, in the few kinds a caller can act on. Handlers turn domain errors into these; a
 * thrown error that is none of them is a bug.
 */
export type RequestErrorKind =
  | 'invalid-argument'
  | 'not-found'
  | 'failed-precondition'
  | 'resource-exhausted'
  | 'unauthenticated'
  | 'unavailable'
  | 'cancelled';

/** An error that is answered to the caller with a gRPC status and its message. */
export class RequestError extends Error {
  readonly tag = 'RequestError';
  readonly kind: RequestErrorKind;

  constructor(kind: RequestErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

const STATUS_OF_KIND: Record<RequestErrorKind, status> = {
  'invalid-argument': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'failed-precondition': status.FAILED_PRECONDITION,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  unauthenticated: status.UNAUTHENTICATED,
  unavailable: status.UNAVAILABLE,
  cancelled: status.CANCELLED,
};

/** The status that a caller sees. Errors of no known kind become INTERNAL without their text, which is for our log. */
export function toGrpcStatus(error: unknown): { code: status; details: string } {
  if (error instanceof RequestError) return { code: STATUS_OF_KIND[error.kind], details: error.message };
  if (isServiceError(error)) return { code: error.code, details: error.details };
  return { code: status.INTERNAL, details: 'internal: the request failed, see the log of the service' };
}

/** Whether `error` carries a gRPC status, as errors of a client call do. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** The text of an error for people: a status's details, a message, or the value itself. */
export function errorText(error: unknown): string {
  if (isServiceError(error)) return error.details;
  return error instanceof Error ? error.message : String(error);
}
