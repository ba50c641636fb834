/** Why one chunk cannot be had. */
export type ChunkFault = 'not-found' | 'out-of-range' | 'data-loss';

/** A chunk that cannot be had; others of the same data set may be. */
export class ChunkFaultError extends Error {
  readonly tag = 'ChunkFaultError';
  readonly fault: ChunkFault;

  constructor(fault: ChunkFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** Why a data set cannot be used: nobody knows its name, its folder cannot be read, or it is not the one that was meant. */
export type DatasetFault = 'unknown' | 'unreadable' | 'changed';

/** A data set that cannot be used. */
export class DatasetFaultError extends Error {
  readonly tag = 'DatasetFaultError';
  readonly fault: DatasetFault;

  constructor(fault: DatasetFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** A local copy of a scan holds other bytes than were written. It is thrown away and made again. */
export class CorruptCopyError extends Error {
  readonly tag = 'CorruptCopyError';

  /** `reason` completes "Cannot use PATH: ". */
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`Cannot use ${path}: ${reason}`, options);
  }
}

/** The files of a scan are not those that its data set was read with. */
export class SeriesChangedError extends Error {
  readonly tag = 'SeriesChangedError';

  constructor(seriesUid: string) {
    super(`Cannot read scan ${seriesUid}: its files changed since the data set was read`);
  }
}
