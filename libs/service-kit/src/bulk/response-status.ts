import { status } from '@grpc/grpc-js';
import { constants, type IncomingHttpHeaders } from 'node:http2';

/** How a call ended. */
export interface ResponseStatus {
  readonly code: status;
  /** For people; '' where all is well. */
  readonly details: string;
}

/** What HTTP says where gRPC says nothing: a proxy answered (doc/http-grpc-status-mapping.md of gRPC). */
const STATUS_OF_HTTP: ReadonlyMap<number, status> = new Map([
  [400, status.INTERNAL],
  [401, status.UNAUTHENTICATED],
  [403, status.PERMISSION_DENIED],
  [404, status.UNIMPLEMENTED],
  [429, status.UNAVAILABLE],
  [502, status.UNAVAILABLE],
  [503, status.UNAVAILABLE],
  [504, status.UNAVAILABLE],
]);

/** What a stream's reset stands for (doc/PROTOCOL-HTTP2.md of gRPC, "Errors"). */
const STATUS_OF_RESET: ReadonlyMap<number, status> = new Map([
  [constants.NGHTTP2_REFUSED_STREAM, status.UNAVAILABLE],
  [constants.NGHTTP2_CANCEL, status.CANCELLED],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, status.RESOURCE_EXHAUSTED],
  [constants.NGHTTP2_INADEQUATE_SECURITY, status.PERMISSION_DENIED],
]);

/** The status in headers or trailers; undefined where there is none. */
export function statusIn(headers: IncomingHttpHeaders): ResponseStatus | undefined {
  const sent = headers['grpc-status'];
  if (sent === undefined) return undefined;
  const code = /^\d+$/.test(String(sent)) ? Number(sent) : -1;
  const details = decodeDetails(String(headers['grpc-message'] ?? ''));
  return status[code] === undefined
    ? { code: status.UNKNOWN, details: `unknown status ${String(sent)}: ${details}` }
    : { code, details };
}

/** What is wrong with the headers of an answer that holds no status; undefined when messages may follow. */
export function faultOfHeaders(headers: IncomingHttpHeaders): ResponseStatus | undefined {
  const httpStatus = Number(headers[':status']);
  if (httpStatus !== constants.HTTP_STATUS_OK) {
    const code = STATUS_OF_HTTP.get(httpStatus) ?? status.UNKNOWN;
    return { code, details: `the server answers with HTTP status ${httpStatus}` };
  }
  const contentType = headers['content-type'];
  if (contentType?.startsWith('application/grpc') === true) return undefined;
  return { code: status.UNKNOWN, details: `the server answers with content-type ${contentType}` };
}

/** The status of a stream that was reset before it told one. */
export function statusOfReset(http2Code: number): ResponseStatus {
  const code = STATUS_OF_RESET.get(http2Code) ?? status.INTERNAL;
  return { code, details: `the server reset the stream with HTTP/2 code ${http2Code}` };
}

/** Details travel percent-encoded; what was encoded badly is shown as it came. */
function decodeDetails(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
