import { status } from '@grpc/grpc-js';
import { constants } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { faultOfHeaders, statusIn, statusOfReset } from './response-status.ts';

describe('statusIn()', () => {
  it('reads the status and its details, which are percent-encoded', () => {
    expect(statusIn({})).toBeUndefined();
    expect(statusIn({ 'grpc-status': '0' })).toEqual({ code: status.OK, details: '' });
    expect(statusIn({ 'grpc-status': '5', 'grpc-message': 'no scan %22%C3%A4%22' })).toEqual({
      code: status.NOT_FOUND,
      details: 'no scan "ä"',
    });
  });

  it('keeps details that are encoded badly, and makes UNKNOWN of a status that is none', () => {
    expect(statusIn({ 'grpc-status': '14', 'grpc-message': '100%' })).toEqual({
      code: status.UNAVAILABLE,
      details: '100%',
    });
    for (const sent of ['99', 'none', '-1', 'OK', '']) {
      expect(statusIn({ 'grpc-status': sent })?.code).toBe(status.UNKNOWN);
    }
  });
});

describe('faultOfHeaders()', () => {
  it('finds none where messages may follow', () => {
    expect(faultOfHeaders({ ':status': '200', 'content-type': 'application/grpc+proto' })).toBeUndefined();
  });

  it.each([
    [400, status.INTERNAL],
    [401, status.UNAUTHENTICATED],
    [403, status.PERMISSION_DENIED],
    [404, status.UNIMPLEMENTED],
    [503, status.UNAVAILABLE],
    [500, status.UNKNOWN],
  ])('takes HTTP status %i for what gRPC makes of it', (httpStatus, code) => {
    expect(faultOfHeaders({ ':status': String(httpStatus) })?.code).toBe(code);
  });

  it('takes no other content for gRPC', () => {
    expect(faultOfHeaders({ ':status': '200', 'content-type': 'text/html' })?.code).toBe(status.UNKNOWN);
  });
});

describe('statusOfReset()', () => {
  it.each([
    [constants.NGHTTP2_REFUSED_STREAM, status.UNAVAILABLE],
    [constants.NGHTTP2_CANCEL, status.CANCELLED],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, status.RESOURCE_EXHAUSTED],
    [constants.NGHTTP2_PROTOCOL_ERROR, status.INTERNAL],
  ])('takes HTTP/2 code %i for what gRPC makes of it', (http2Code, code) => {
    expect(statusOfReset(http2Code).code).toBe(code);
  });
});
