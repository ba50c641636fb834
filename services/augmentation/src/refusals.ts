import { status } from '@grpc/grpc-js';
import type { RequestErrorKind } from '@lunastream/service-kit';

/** Answers of the chunk cache to a request that any of its pods would refuse again. */
export const REFUSALS: ReadonlyMap<status, RequestErrorKind> = new Map([
  [status.FAILED_PRECONDITION, 'failed-precondition'],
  [status.NOT_FOUND, 'not-found'],
  [status.INVALID_ARGUMENT, 'invalid-argument'],
]);
