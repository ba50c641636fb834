import { Metadata, status, type ServiceError } from '@grpc/grpc-js';

/** How a call failed, in the form in which grpc-js tells it: whoever reads errors of calls need not know who made them. */
export class CallFault extends Error implements ServiceError {
  readonly code: status;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: status, details: string, options?: ErrorOptions) {
    super(`${code} ${status[code]}: ${details}`, options);
    this.code = code;
    this.details = details;
  }
}
