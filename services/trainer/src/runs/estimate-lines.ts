/**
 * The chapter's lines that tell when an epoch will be done: one at the start, then after a number of batches that grows
 * by a factor, so that short and long epochs both print a handful. The first batches, in which pipelines fill, are left
 * out of the timing.
 */
export class EstimateLines {
  readonly #description: string;
  readonly #batchCount: number;
  readonly #skippedBatches: number;
  readonly #factor: number;
  #nextPrint: number;
  #timingStartMs = 0;

  /** `skippedBatches` is the chapter's number of loader processes; here, of workers. */
  constructor(options: {
    readonly description: string;
    readonly batchCount: number;
    readonly skippedBatches: number;
  }) {
    this.#description = options.description;
    this.#batchCount = options.batchCount;
    this.#skippedBatches = options.skippedBatches;
    this.#factor = 2;
    while (this.#factor ** 7 < options.batchCount) this.#factor *= 2;
    this.#nextPrint = 4;
    while (this.#nextPrint < options.skippedBatches * this.#factor) this.#nextPrint *= this.#factor;
  }

  /** The line of level WARNING that opens an epoch. */
  start(now: Date): string {
    this.#timingStartMs = now.getTime();
    return `${this.#description} ----/${this.#batchCount}, starting`;
  }

  /** The line of level INFO after batch `batchIndex` (from 0), where one is due. */
  afterBatch(batchIndex: number, now: Date): string | undefined {
    let line: string | undefined;
    if (batchIndex === this.#nextPrint) {
      const elapsedMs = now.getTime() - this.#timingStartMs;
      const perBatchMs = elapsedMs / (batchIndex - this.#skippedBatches + 1);
      const totalMs = perBatchMs * (this.#batchCount - this.#skippedBatches);
      const done = new Date(this.#timingStartMs + totalMs);
      line =
        `${this.#description} ${String(batchIndex).padStart(4)}/${this.#batchCount}, ` +
        `done at ${formatDateTime(done)}, ${formatDuration(totalMs)}`;
      this.#nextPrint *= this.#factor;
    }
    if (batchIndex + 1 === this.#skippedBatches) this.#timingStartMs = now.getTime();
    return line;
  }

  /** The line of level WARNING that closes an epoch. */
  end(now: Date): string {
    return `${this.#description} ----/${this.#batchCount}, done at ${formatDateTime(now)}`;
  }
}

/** "2026-11-23 09:05:13", local time, as Python prints a datetime without its fraction. */
export function formatDateTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  );
}

/** "0:01:15", as Python prints a timedelta without its fraction. */
function formatDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const clock = `${Math.floor((seconds % 86_400) / 3600)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`;
}
