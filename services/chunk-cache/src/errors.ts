/** Why one chunk cannot be served; answered in its place in the stream. */
export type ChunkFault = 'not-found' | 'out-of-range' | 'data-loss';

/** A chunk that cannot be served. */
export class ChunkFaultError extends Error {
  readonly tag = 'ChunkFaultError';
  readonly fault: ChunkFault;

  constructor(fault: ChunkFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
