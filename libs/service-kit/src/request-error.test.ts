import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  errorText,
  isServiceError,
  RequestError,
  toGrpcStatus,
  type RequestErrorKind,
} from './request-error.ts';

// A record, so that a new kind fails to compile until it stands here.
const STATUS_NAME_OF_KIND: Record<RequestErrorKind, keyof typeof status> = {
  'invalid-argument': 'INVALID_ARGUMENT',
  'not-found': 'NOT_FOUND',
  'failed-precondition': 'FAILED_PRECONDITION',
  'resource-exhausted': 'RESOURCE_EXHAUSTED',
  unauthenticated: 'UNAUTHENTICATED',
  unavailable: 'UNAVAILABLE',
  cancelled: 'CANCELLED',
};

const serviceError = (code: status, details: string) =>
  Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details });

describe('toGrpcStatus()', () => {
  it.each(Object.entries(STATUS_NAME_OF_KIND) as [RequestErrorKind, keyof typeof status][])(
    'answers a RequestError of kind %s with %s and its message',
    (kind, name) => {
      expect(toGrpcStatus(new RequestError(kind, 'Cannot do it'))).toEqual({
        code: status[name],
        details: 'Cannot do it',
      });
    },
  );

  it('passes the status of a failed call on, with the details that are for people', () => {
    expect(toGrpcStatus(serviceError(status.DATA_LOSS, 'the scan is damaged'))).toEqual({
      code: status.DATA_LOSS,
      details: 'the scan is damaged',
    });
  });

  it.each([
    ['an Error', new TypeError('secret of line 12')],
    ['an error of the system', Object.assign(new Error('secret path'), { code: 'ENOENT' })],
    ['a number with a code but no details', Object.assign(new Error('secret'), { code: 5 })],
    ['a string', 'secret'],
    ['undefined', undefined],
  ])('answers %s with INTERNAL and none of its text', (_, error) => {
    const { code, details } = toGrpcStatus(error);
    expect(code).toBe(status.INTERNAL);
    expect(details).toBe('internal: the request failed, see the log of the service');
  });
});

describe('RequestError', () => {
  it('keeps its kind and its cause', () => {
    const cause = new Error('disk full');
    expect(new RequestError('unavailable', 'later', { cause })).toMatchObject({
      tag: 'RequestError',
      kind: 'unavailable',
      cause,
    });
  });
});

describe('isServiceError()', () => {
  it('wants an Error with a numeric code and details', () => {
    expect(isServiceError(serviceError(status.NOT_FOUND, 'gone'))).toBe(true);
    expect(isServiceError({ code: 5, details: 'gone' })).toBe(false);
    expect(isServiceError(Object.assign(new Error('x'), { code: 'ENOENT', details: 'gone' }))).toBe(false);
  });
});

describe('errorText()', () => {
  it('takes the details of a status, the message of an error, and any other value as it is', () => {
    expect(errorText(serviceError(status.NOT_FOUND, 'no such scan'))).toBe('no such scan');
    expect(errorText(new Error('disk full'))).toBe('disk full');
    expect(errorText('plain')).toBe('plain');
  });
});
