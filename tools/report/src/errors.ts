/** Runs of which no report can be made: a file is missing or damaged, or there is nothing to compare. */
export class ReportError extends Error {
  readonly tag = 'ReportError';

  /** `rule` completes "Cannot report: ". */
  constructor(rule: string, options?: ErrorOptions) {
    super(`Cannot report: ${rule}`, options);
  }
}
