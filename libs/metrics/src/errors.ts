/** Arrays or parameters that no metric can be computed from: the caller's input is wrong. */
export class InvalidMetricInputError extends Error {
  override readonly name = 'InvalidMetricInputError';
  /** Which argument is at fault. */
  readonly field: string;

  constructor(what: string, field: string, rule: string, got: string | number) {
    super(`Cannot ${what}: ${field} ${rule}, got ${got}`);
    this.field = field;
  }
}
