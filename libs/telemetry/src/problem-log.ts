/** Tells a problem of telemetry to people. */
export type TellProblem = (
  problem: string,
  details: { readonly count: number; readonly err?: unknown },
) => void;

/**
 * Telemetry must not fill the log that it is there to explain: a problem is told the first time, the tenth, the
 * hundredth, and so on. Kinds of problems are few; their texts may differ in every word.
 */
export class ProblemLog {
  readonly #tell: TellProblem;
  readonly #counts = new Map<string, number>();

  constructor(tell: TellProblem) {
    this.#tell = tell;
  }

  /** Notes that `problem` happened. */
  note(problem: string, err?: unknown): void {
    const count = (this.#counts.get(problem) ?? 0) + 1;
    this.#counts.set(problem, count);
    if (Number.isInteger(Math.log10(count)))
      this.#tell(problem, err === undefined ? { count } : { count, err });
  }
}
