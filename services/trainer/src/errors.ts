/** A sample that no worker can make: its scan is damaged, or the data set changed. The run cannot go on. */
export class SampleUnavailableError extends Error {
  readonly tag = 'SampleUnavailableError';
  readonly ordinal: number;

  constructor(ordinal: number, reason: string, options?: ErrorOptions) {
    super(`Cannot make sample ${ordinal}: ${reason}`, options);
    this.ordinal = ordinal;
  }
}

/** The run was asked to stop. Its last checkpoint can be resumed. */
export class RunStoppedError extends Error {
  readonly tag = 'RunStoppedError';

  constructor() {
    super('the run was stopped');
  }
}

/** A data set that no run of these settings can be made of: too few candidates, or a class without any. */
export class UnusableDatasetError extends Error {
  readonly tag = 'UnusableDatasetError';
}

/** A run folder that cannot be read: no such run, or files that are damaged. */
export class RunFolderError extends Error {
  readonly tag = 'RunFolderError';
  readonly kind: 'missing' | 'damaged';

  constructor(kind: 'missing' | 'damaged', message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The engine's thread ended while it still had work. */
export class EngineThreadError extends Error {
  readonly tag = 'EngineThreadError';
}

/** The engine could not be started: its settings are wrong, or it does not run on this machine. */
export class EngineStartError extends Error {
  readonly tag = 'EngineStartError';
  readonly kind: EngineStartFault;

  constructor(kind: EngineStartFault, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Why an engine did not start. */
export type EngineStartFault = 'bad-settings' | 'unavailable' | 'internal';
