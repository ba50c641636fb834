/** The terminal as commands see it; tests pass their own. */
export interface Terminal {
  /** Writes to standard output: results. */
  out(text: string): void;
  /** Writes to standard error: messages for people. */
  err(text: string): void;
  /** Whether standard output is a terminal: only then colours and bars. */
  readonly isInteractive: boolean;
  readonly columns: number;
  /** Where bars are drawn: standard error, so that standard output holds results alone. */
  readonly bars: NodeJS.WritableStream;
}

/** The terminal of this process. */
export function processTerminal(host: {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}): Terminal {
  return {
    out: (text) => void host.stdout.write(text),
    err: (text) => void host.stderr.write(text),
    isInteractive: host.stdout.isTTY === true,
    columns: host.stdout.columns ?? 100,
    bars: host.stderr,
  };
}
