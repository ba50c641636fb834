/** Time as a run sees it: results never depend on it. */
export interface Clock {
  /** Time of day, for log lines. */
  now(): Date;
  /** Milliseconds that never go back, for durations. */
  nowMs(): number;
}
