/** An event file that is cut short or altered. What came before the offset is sound. */
export class CorruptEventFileError extends Error {
  override readonly name = 'CorruptEventFileError';
  /** Of the record at fault. */
  readonly offsetBytes: number;

  constructor(offsetBytes: number, rule: string, got: string | number) {
    super(`Cannot read event file at byte ${offsetBytes}: ${rule}, got ${got}`);
    this.offsetBytes = offsetBytes;
  }
}
